//! What the documents show is true: every TOML in them loads, and the guide's example is checked, planned and run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State as Held, http::HeaderMap, http::StatusCode, routing};
use drbot::{
    access::Caller,
    actions::real::RealActions,
    clock::Clock,
    config::{load::Configuration, secrets::Secrets, settings::DiscordId},
    engine::{Engine, Request, Submitted},
    progress::plan,
    run::{event::Person, outcome::Outcome, state::Status},
    store::Store,
};
use serde_json::{Value, json};

use crate::support::house::Bot;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A TOML of a document, and what its comment says that it is.
#[derive(Debug)]
struct Snippet {
    /// The line of the fence.
    line: usize,
    kind: String,
    text: String,
}

fn snippets(document: &Path) -> Vec<Snippet> {
    let text = std::fs::read_to_string(document).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.trim() != "```toml" {
            continue;
        }
        let above = lines[at.saturating_sub(1)];
        let kind = above.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).unwrap_or_default();
        let inside: Vec<&str> = lines[at + 1..].iter().copied().take_while(|line| line.trim() != "```").collect();
        found.push(Snippet { line: at + 1, kind: kind.to_owned(), text: inside.join("\n") + "\n" });
    }
    found
}

/// The folder that a document describes: its own files, or the shipped ones and those.
fn folder_of(snippets: &[Snippet]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("commands")).unwrap();
    let files: BTreeMap<&str, &str> =
        snippets.iter().filter_map(|one| Some((one.kind.strip_prefix("file: ")?, one.text.as_str()))).collect();
    if !files.contains_key("drbot.toml") {
        std::fs::copy(root().join("drbot.toml"), folder.path().join("drbot.toml")).unwrap();
        for shipped in std::fs::read_dir(root().join("commands")).unwrap().map(Result::unwrap) {
            std::fs::copy(shipped.path(), folder.path().join("commands").join(shipped.file_name())).unwrap();
        }
    }
    for (path, text) in files {
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

/// The shipped settings with this in the place of what they say of the listener and of alerts.
fn loads_in_place(fragment: &str) -> Result<Configuration, String> {
    let folder = folder_of(&[]);
    let file = folder.path().join("drbot.toml");
    let shipped = std::fs::read_to_string(&file).unwrap();
    let (before, _) = shipped.split_once("# Figures for Prometheus, at /metrics").unwrap();
    let web = if fragment.contains("[web]") { "" } else { "[web]\nlisten = \"127.0.0.1:9464\"\n" };
    std::fs::write(&file, format!("{before}{web}{fragment}")).unwrap();
    load(folder.path(), "http://127.0.0.1:1")
}

fn load(folder: &Path, api: &str) -> Result<Configuration, String> {
    let api = api.to_owned();
    let secrets = ["SHOP_TOKEN", "EMERGENCY_TOKEN", "ADMIN_TOKEN", "DB_PASSWORD", "ALERTS_TOKEN", "ALERTS_HMAC_KEY"];
    let lookup = move |name: &str| match name {
        "SHOP_API" => Some(api.clone()),
        "HEARTBEAT_URL" => Some("https://hc.example/ping/drbot".to_owned()),
        name => secrets.contains(&name).then(|| format!("the value of {name}")),
    };
    let loaded = Configuration::load_with(folder, lookup);
    let said = |problems: &[drbot::runbook::problem::Problem]| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    match loaded {
        Ok(configuration) if configuration.warnings.is_empty() => Ok(configuration),
        Ok(configuration) => Err(said(&configuration.warnings)),
        Err(problems) => Err(said(&problems)),
    }
}

fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "commands/README.md", "range/README.md"]
            .map(|name| root().join(name))
            .into();
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    documents
}

#[test]
fn every_toml_in_a_document_loads() {
    let mut seen = 0;
    for document in documents() {
        let snippets = snippets(&document);
        let folder = folder_of(&snippets);
        for (number, snippet) in snippets.iter().enumerate() {
            let head = "summary = 'x'\nrisk = 'risky'\nroles = ['operator']\n";
            let target = if folder.path().join("commands/halt.toml").exists() { "prod" } else { "shop" };
            let option = "[options.reason]\ntype = 'string'\nhelp = 'x'\n";
            let head = format!("{head}target = '{target}'\n{option}");
            let whole = match snippet.kind.as_str() {
                "fragment of a command" => format!("{head}{}", snippet.text),
                kind if kind.starts_with("fragment of a step: ") => {
                    let action = kind.trim_start_matches("fragment of a step: ");
                    format!("{head}[[steps]]\nid = 'x'\nname = 'X'\n{action}\n{}", snippet.text)
                }
                "fragment of the settings" => {
                    loads_in_place(&snippet.text)
                        .unwrap_or_else(|said| panic!("{}:{}\n{said}", document.display(), snippet.line));
                    String::new()
                }
                kind if kind.starts_with("file: ") => String::new(),
                kind => panic!("{}:{}: what is this? `{kind}`", document.display(), snippet.line),
            };
            if !whole.is_empty() {
                std::fs::write(folder.path().join(format!("commands/fragment-{number}.toml")), whole).unwrap();
            }
            seen += 1;
        }
        load(folder.path(), "http://127.0.0.1:1").unwrap_or_else(|said| panic!("{}\n{said}", document.display()));
    }
    assert!(seen >= 6, "{seen} snippets");
}

/// A shop with a cache, that remembers what was done to it.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    entries: u64,
    deeds: Vec<String>,
    cache_is_stuck: bool,
}

impl Shop {
    /// Opens on a port of its own; returns its address.
    async fn open(&self) -> String {
        let may = |headers: &HeaderMap| {
            headers.get("authorization").is_some_and(|token| token == "Bearer the value of SHOP_TOKEN")
        };
        let deed = move |what: &'static str| {
            routing::post(move |Held(shop): Held<Self>, headers: HeaderMap, body: String| async move {
                if !may(&headers) {
                    return StatusCode::UNAUTHORIZED;
                }
                shop.0.lock().unwrap().deeds.push(format!("{what}{body}"));
                StatusCode::OK
            })
        };
        let cache =
            routing::get(
                |Held(shop): Held<Self>| async move { Json(json!({ "entries": shop.0.lock().unwrap().entries })) },
            )
            .delete(move |Held(shop): Held<Self>, headers: HeaderMap| async move {
                let mut inside = shop.0.lock().unwrap();
                if !may(&headers) || inside.cache_is_stuck {
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
                inside.entries = 0;
                inside.deeds.push("clear".to_owned());
                StatusCode::NO_CONTENT
            });
        let prices = routing::get(|Held(shop): Held<Self>| async move {
            let entries = shop.0.lock().unwrap().entries;
            Json::<Value>(json!({ "stale": entries > 0, "age": 90 }))
        });
        let router = Router::new()
            .route("/cache", cache)
            .route("/prices", prices)
            .route("/pause", deed("pause "))
            .route("/resume", deed("resume"))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn deeds(&self) -> Vec<String> {
        self.0.lock().unwrap().deeds.clone()
    }
}

fn caller(id: u64, name: &str, role: u64) -> Caller {
    Caller {
        person: Person { id: DiscordId(id), name: name.to_owned() },
        roles: vec![DiscordId(role)],
        channel: DiscordId(200_000_000_000_000_001),
        is_bot: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_command_is_checked_planned_and_run() {
    for stuck in [false, true] {
        let shop = Shop(Arc::new(Mutex::new(Inside { entries: 4321, cache_is_stuck: stuck, ..Inside::default() })));
        let api = shop.open().await;
        let folder = folder_of(&snippets(&root().join("docs/writing-commands.md")));
        let configuration = load(folder.path(), &api).unwrap_or_else(|said| panic!("{said}"));
        let command = configuration.commands["clear-cache"].clone();
        let options = BTreeMap::from([("reason".to_owned(), "prices of yesterday".to_owned())]);
        let secrets = Secrets::from_lookup(|name| (name == "SHOP_TOKEN").then(|| "the value of SHOP_TOKEN".to_owned()));
        let actions = || Arc::new(RealActions::new());
        let clock = Clock::system();

        let memory = Store::in_memory().await.unwrap();
        let looker = Engine::to_look(configuration.clone(), memory, actions(), secrets.clone(), clock.clone());
        let preview = looker.preview(&command, options.clone(), true).await.unwrap();
        let text = plan::text(&preview);
        for said in ["4,321 entries are dropped", "The form asks for: shop", "lead may approve", "bearer=SHOP_TOKEN"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("the value of"));
        assert_eq!(shop.deeds(), Vec::<String>::new(), "a plan does nothing");

        let store = Store::open(&folder.path().join("data")).await.unwrap();
        let bot = Bot(Engine::start(configuration, store, actions(), secrets, clock).await.unwrap());
        let (dana, lena) = (caller(1, "Dana", 300_000_000_000_000_001), caller(2, "Lena", 300_000_000_000_000_003));
        let request = Request { key: "1".to_owned(), command: "clear-cache".to_owned(), options, caller: dana };
        let Submitted::Started(run) = bot.0.submit(request).await.unwrap() else { panic!("it was never here before") };
        let token = bot.call_for_approval(run).await;
        let asked = bot.state(run).await.approval.asked().unwrap().clone();
        assert_eq!(asked.cost, preview.asked.unwrap().cost);
        bot.0.approve(run, &lena, &token, Some("shop")).await.unwrap();
        let paused = "pause {\"reason\":\"prices of yesterday\"}";
        if stuck {
            bot.ends(run, Outcome::RolledBack).await;
            assert_eq!(shop.deeds(), [paused, "resume"], "the shop is as it was");
        } else {
            let state = bot.ends(run, Outcome::Succeeded).await;
            assert_eq!(shop.deeds(), [paused, "clear", "resume"]);
            assert!(state.recovered_at.is_some());
            let fresh = state.step("fresh").unwrap();
            assert_eq!(fresh.status, Status::Succeeded);
            assert!(fresh.summary.contains("the oldest price is 1 min 30 s old"), "{}", fresh.summary);
        }
        bot.0.stop().await;
    }
}
