// Starts the page, and starts it again when one of its files did not arrive: browsers drop what is on its way whenever
// the machine's network changes, and containers that come and go change it.

const STYLES = 5;
const AGAIN = 500;

import("./main.js").then(
  () => document.styleSheets.length < STYLES && again(),
  (error) => {
    document.getElementById("wait").textContent = `The page did not load: ${error.message}`;
    again();
  },
);

function again() {
  setTimeout(() => location.reload(), AGAIN);
}
