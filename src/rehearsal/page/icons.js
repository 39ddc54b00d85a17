// The page's drawings: strokes on a square of 24.

const PATHS = {
  hash: ["M9 4 7 20", "M17 4l-2 16", "M4 9h16", "M3.5 15h16"],
  thread: ["M5 4v9a4 4 0 0 0 4 4h10", "m15 13 4 4-4 4"],
  at: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z", "M16 8v5.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.5 7.1"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  flame: ["M12 21a6.5 6.5 0 0 0 6.5-6.5c0-4-3-5.5-3.5-9.5-3 1-5.500 4-5 7-1.300-.4-2-1.500-2.200-2.800C6.300 10.600 5.500 12.500 5.500 14.500A6.500 6.500 0 0 0 12 21Z"],
  unplug: ["M13 3 5 14h6l-1 7 8-11h-6l1-7Z"],
  sun: ["M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z", "M12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400"],
  moon: ["M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500Z"],
  help: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z", "M9.500 9.500a2.500 2.500 0 1 1 3.600 2.200c-.8.5-1.100 1-1.100 1.800", "M12 16.800v.2"],
  send: ["M4 12 20 4l-5 16-3.500-6.500Z"],
  eye: ["M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12Z", "M12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Z"],
  file: ["M6 3h8l5 5v13H6Z", "M14 3v5h5"],
  down: ["M12 4v12", "m7 11 5 5 5-5", "M5 20h14"],
  link: ["M14 4h6v6", "M20 4 11 13", "M18 14v6H4V6h6"],
  chevron: ["m8 10 4 4 4-4"],
  warn: ["M12 3 2.500 20h19Z", "M12 10v4.500", "M12 17.300v.2"],
  reply: ["M4 20v-5a6 6 0 0 1 6-6h10"],
  message: ["M4 5h16v11H10l-4 4v-4H4Z"],
  swap: ["M4 8h14", "m14 4 4 4-4 4", "M20 16H6", "m10 12-4 4 4 4"],
  check: ["m5 12 5 5 9-10"],
};

/** A drawing beside words that say the same: hidden from screen readers. */
export function icon(name) {
  const make = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const svg = make("svg");
  for (const [key, value] of Object.entries({ class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  for (const drawn of PATHS[name]) {
    const path = make("path");
    path.setAttribute("d", drawn);
    svg.append(path);
  }
  return svg;
}
