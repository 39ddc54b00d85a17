//! The page: a chat in the browser, for people who want to see and try the bot.
//!
//! It is another user of the control API and can do nothing that the API cannot. Everything it consists of is in the
//! binary, and the browser is told to load, run and send nothing else: what messages say is hostile until shown
//! otherwise, so no script that is not one of these files ever runs.

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// What the browser may do with the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($name:literal $kind:ident),* $(,)?) => {
        &[$(($name, $kind, include_str!($name))),*]
    };
}

/// Every file of the page but the first.
static FILES: &[(&str, &str, &str)] = files![
    "api.js" SCRIPT,
    "attachments.js" SCRIPT,
    "boot.js" SCRIPT,
    "chat.css" CSS,
    "command.js" SCRIPT,
    "components.js" SCRIPT,
    "composer.css" CSS,
    "composer.js" SCRIPT,
    "conversation.js" SCRIPT,
    "deeds.js" SCRIPT,
    "dom.js" SCRIPT,
    "embed.js" SCRIPT,
    "faults.js" SCRIPT,
    "form.js" SCRIPT,
    "guide.js" SCRIPT,
    "icon.svg" SVG,
    "icons.js" SCRIPT,
    "inline.js" SCRIPT,
    "layout.css" CSS,
    "live.js" SCRIPT,
    "main.js" SCRIPT,
    "markdown.js" SCRIPT,
    "message.js" SCRIPT,
    "panels.css" CSS,
    "panels.js" SCRIPT,
    "people.js" SCRIPT,
    "sidebar.js" SCRIPT,
    "store.js" SCRIPT,
    "suggestions.js" SCRIPT,
    "theme.css" CSS,
    "theme.js" SCRIPT,
    "time.js" SCRIPT,
    "tools.js" SCRIPT,
];

pub async fn index() -> Response {
    answer(HTML, include_str!("index.html"))
}

/// `GET /page/{name}`
pub async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(there, _, _)| *there == name) {
        Some((_, kind, text)) => answer(kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Never kept by the browser, so that the page is always the one of the program that runs.
fn answer(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_that_is_not_in_it() {
        let names: Vec<&str> = FILES.iter().map(|(name, _, _)| *name).collect();
        let all =
            FILES.iter().map(|(name, _, text)| (*name, *text)).chain([("index.html", include_str!("index.html"))]);
        for (name, text) in all {
            for start in ["from \"./", "import(\"./", "\"/page/"] {
                for used in text.split(start).skip(1) {
                    let used = used.split('"').next().unwrap();
                    assert!(names.contains(&used), "{name} loads {used}, which is not in the binary");
                }
            }
            for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
                assert!(!text.contains(way), "{name} makes a document of text with {way}");
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_binary() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rehearsal/page");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = ["mod.rs", "index.html"].contains(&name.as_str());
            assert!(known || FILES.iter().any(|(there, _, _)| *there == name), "{name} is not served");
        }
    }
}
