//! A browser that a story looks at the page with: headless Chromium behind its WebDriver, ended with the story.

use std::{path::Path, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};
use tokio::process::{Child, Command};

use super::{range::free_port, until};

pub const DESK: (u32, u32) = (1440, 900);
pub const PHONE: (u32, u32) = (390, 844);

pub struct Browser {
    driver: WebDriver,
    url: String,
    /// Also how the processes of this browser are told from others.
    profile: TempDir,
    _process: Child,
}

impl Browser {
    /// Opens the page, and waits until it is there.
    pub async fn open(url: &str, (width, height): (u32, u32)) -> Self {
        let port = free_port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver: scripts/prepare installs it");
        let profile = tempfile::tempdir().unwrap();
        let mut wishes = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let size = format!("--window-size={width},{height}");
        // As root there is no sandbox, and containers have little shared memory.
        for wish in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", &folder, &size] {
            wishes.add_arg(wish).unwrap();
        }
        if width < 500 {
            let screen = json!({"width": width, "height": height, "pixelRatio": 2.0, "touch": true, "mobile": true});
            wishes.add_experimental_option("mobileEmulation", json!({"deviceMetrics": screen})).unwrap();
        }
        wishes.set_logging_prefs("browser", LoggingPrefsLogLevel::All).unwrap();
        wishes.set_logging_prefs("performance", LoggingPrefsLogLevel::All).unwrap();
        let driver = until("chromedriver to start a browser", async || {
            WebDriver::new(format!("http://127.0.0.1:{port}"), wishes.clone()).await.ok()
        })
        .await;
        let browser = Self { driver, url: url.to_owned(), profile, _process: process };
        browser.loads().await;
        browser
    }

    /// A container network that another story makes or removes has the browser give up what it was loading: then once
    /// more.
    async fn loads(&self) {
        let there = "return !!document.querySelector('#app:not([hidden]) .place-name')";
        for _ in 0..5 {
            self.driver.goto(&self.url).await.unwrap();
            let clock = drbot::clock::Clock::system();
            let found = async {
                while self.script(there, vec![]).await != json!(true) {
                    clock.sleep(std::time::Duration::from_millis(30)).await;
                }
            };
            if clock.timeout(super::LIMIT / 6, found).await.is_some() {
                break;
            }
        }
        self.sees("#app:not([hidden]) .place-name").await;
    }

    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.unwrap().json().clone()
    }

    /// Waits until a script returns true; shows what the page says when it never does.
    pub async fn holds(&self, what: &str, script: &str, arguments: Vec<Value>) {
        let clock = drbot::clock::Clock::system();
        let found = async {
            while self.script(script, arguments.clone()).await != json!(true) {
                clock.sleep(std::time::Duration::from_millis(30)).await;
            }
        };
        if clock.timeout(super::LIMIT, found).await.is_none() {
            let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page-failed.png");
            let _ = self.driver.screenshot(&picture).await;
            let complaints = self.driver.get_log("browser").await;
            let text = self.script("return document.body.innerText.slice(0, 3000)", vec![]).await;
            let text = text.as_str().unwrap_or_default();
            panic!("never: {what}; see {}; {complaints:?}. The page says:\n{text}", picture.display());
        }
    }

    /// Waits until something is there that can be seen.
    pub async fn sees(&self, css: &str) {
        let visible = "return [...document.querySelectorAll(arguments[0])].some((node) => node.checkVisibility({checkVisibilityCSS: true}))";
        self.holds(&format!("{css} is seen"), visible, vec![json!(css)]).await;
    }

    pub async fn misses(&self, css: &str) {
        let gone = "return ![...document.querySelectorAll(arguments[0])].some((node) => node.checkVisibility({checkVisibilityCSS: true}))";
        self.holds(&format!("{css} is gone"), gone, vec![json!(css)]).await;
    }

    /// Waits until something says this.
    pub async fn reads(&self, css: &str, text: &str) {
        let says =
            "return [...document.querySelectorAll(arguments[0])].some((node) => node.innerText.includes(arguments[1]))";
        self.holds(&format!("{css} says {text:?}"), says, vec![json!(css), json!(text)]).await;
    }

    /// Presses the last visible thing of this kind, with this text if any is given, as a finger would.
    pub async fn presses(&self, css: &str, text: &str) {
        let find = "const [css, text] = arguments; \
            const all = [...document.querySelectorAll(css)].filter((node) => node.checkVisibility({checkVisibilityCSS: true}) && !node.disabled); \
            const found = all.filter((node) => !text || node.innerText.trim() === text).at(-1); \
            document.querySelectorAll('[data-pressed]').forEach((node) => node.removeAttribute('data-pressed')); \
            found?.setAttribute('data-pressed', ''); found?.scrollIntoView({block: 'nearest'}); return Boolean(found)";
        // A card may be drawn anew between the two; then it is looked for again.
        until(&format!("{css} {text:?} can be pressed"), async || {
            let there = self.script(find, vec![json!(css), json!(text)]).await == json!(true);
            let node = self.driver.find(thirtyfour::By::Css("[data-pressed]")).await.ok()?;
            if there { node.click().await.ok() } else { None }
        })
        .await;
    }

    /// Types into whatever has the focus. Keys are named as `\u{e004}`: see [`keys`].
    pub async fn types(&self, text: impl AsRef<str>) {
        self.driver.action_chain().send_keys(text.as_ref()).perform().await.unwrap();
    }

    /// What has the focus: its id.
    pub async fn focus(&self) -> String {
        let focus = self.script("return document.activeElement.id", vec![]).await;
        focus.as_str().unwrap_or_default().to_owned()
    }

    /// Nothing is wider than the screen, and no script or style complained, and nobody else was asked for anything.
    pub async fn is_whole(&self) {
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(self.script(wide, vec![]).await, json!(0), "the page is wider than the screen");
        let mut complaints = self.driver.get_log("browser").await.unwrap();
        // Not about the page: see `loads`.
        complaints.retain(|complaint| !complaint.message.contains("ERR_NETWORK_CHANGED"));
        assert!(complaints.is_empty(), "{complaints:?}");
        for entry in self.driver.get_log("performance").await.unwrap() {
            let event: Value = serde_json::from_str(&entry.message).unwrap();
            let asked = &event["message"]["params"]["request"]["url"];
            if event["message"]["method"] == "Network.requestWillBeSent" {
                let asked = asked.as_str().unwrap_or_default();
                // The browser's own first tab is no page of ours.
                let over_the_net = ["http", "ws", "ftp"].iter().any(|scheme| asked.starts_with(scheme));
                let own = asked.starts_with(&format!("{}/", self.url));
                assert!(own || !over_the_net, "somebody else was asked: {asked}");
            }
        }
    }

    /// A picture of the page as it is now, for people to look at, where `DRBOT_PICTURES` names a folder for it.
    pub async fn pictured(&self, name: &str) {
        if let Ok(folder) = std::env::var("DRBOT_PICTURES") {
            self.driver.screenshot(&Path::new(&folder).join(format!("{name}.png"))).await.unwrap();
        }
    }

    pub async fn closes(self) {
        self.driver.clone().quit().await.unwrap();
    }
}

impl Drop for Browser {
    /// A story that failed leaves no browser behind: those of this profile are ended, by their numbers.
    fn drop(&mut self) {
        let folder = self.profile.path().as_os_str().as_encoded_bytes();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let number = process.file_name().to_str().and_then(|name| name.parse().ok());
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let ours = command.windows(folder.len()).any(|part| part == folder);
            if let Some(number) = number.filter(|_| ours) {
                // It may be gone by now.
                let _ = kill(Pid::from_raw(number), Signal::SIGKILL);
            }
        }
    }
}

/// Keys that are no letters: <https://www.w3.org/TR/webdriver2/#keyboard-actions>
pub mod keys {
    pub const BACK: &str = "\u{e003}";
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const UP: &str = "\u{e013}";
    pub const DOWN: &str = "\u{e015}";
}
