//! A range of the story's own: real containers, a real PostgreSQL, names and ports that nobody else has.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// What [`Range::up_with`] takes to start Prometheus and the page on Grafana's port too.
pub const MONITORING: [(&str, &str); 2] = [("RANGE_MONITORING", "1"), ("RANGE_PROFILE", "monitoring")];

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Taken down when dropped.
pub struct Range {
    pub project: String,
    pub prefix: String,
    pub api_port: u16,
    pub pg_port: u16,
    pub prometheus_port: u16,
    pub alertmanager_port: u16,
    /// Where the range's Alertmanager posts to; a story's bot may listen there.
    pub alerts_port: u16,
    pub grafana_port: u16,
    pub helius_port: u16,
    pub quicknode_port: u16,
    pub backups: PathBuf,
    pub ledger: PathBuf,
    more: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Range {
    /// Starts a small range: 20,000 trades and one pair of backups.
    pub fn up() -> Self {
        Self::up_with(&[])
    }

    /// With Prometheus and the page on Grafana's port, which other stories need not wait for.
    pub fn up_with_monitoring() -> Self {
        Self::up_with(&MONITORING)
    }

    pub fn up_with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let project = format!("story{}x{number}", std::process::id());
        let range = Self {
            prefix: format!("{project}-"),
            project,
            api_port: free_port(),
            pg_port: free_port(),
            prometheus_port: free_port(),
            alertmanager_port: free_port(),
            alerts_port: free_port(),
            grafana_port: free_port(),
            helius_port: free_port(),
            quicknode_port: free_port(),
            backups: folder.path().join("backups"),
            ledger: folder.path().join("ledger"),
            more: more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            _folder: folder,
        };
        range.script("up", &[]);
        range
    }

    /// Variables for the range's scripts, and for `drbot.toml`, which refers to the same ones.
    pub fn variables(&self) -> Vec<(String, String)> {
        let own = [
            ("RANGE_PROJECT", self.project.clone()),
            ("RANGE_PREFIX", self.prefix.clone()),
            ("RANGE_API_PORT", self.api_port.to_string()),
            ("RANGE_PG_PORT", self.pg_port.to_string()),
            ("RANGE_MONITORING", "0".to_owned()),
            ("RANGE_PROMETHEUS_PORT", self.prometheus_port.to_string()),
            ("RANGE_ALERTMANAGER_PORT", self.alertmanager_port.to_string()),
            ("RANGE_ALERTS_TO", format!("127.0.0.1:{}", self.alerts_port)),
            ("RANGE_GRAFANA_PORT", self.grafana_port.to_string()),
            ("RANGE_HELIUS_PORT", self.helius_port.to_string()),
            ("RANGE_QUICKNODE_PORT", self.quicknode_port.to_string()),
            ("RANGE_IMAGES", images()),
            // Which of compose's profiles drbot brings up; the scripts go by RANGE_MONITORING.
            ("RANGE_PROFILE", "none".to_owned()),
            ("RANGE_BACKUPS", self.backups.display().to_string()),
            ("RANGE_LEDGER", self.ledger.display().to_string()),
            ("RANGE_TRADES", "20000".to_owned()),
            ("RANGE_BACKUP_EVERY", "0".to_owned()),
            ("RANGE_BOT_BINARY", trading_bot()),
            ("EMERGENCY_TOKEN", "rehearsal-emergency-token".to_owned()),
            ("ADMIN_TOKEN", "rehearsal-admin-token".to_owned()),
            ("ALERTS_TOKEN", "rehearsal-alerts-token".to_owned()),
            ("DB_PASSWORD", "rehearsal-db-password".to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let overridden = |name: &str| self.more.iter().any(|(other, _)| other == name);
        own.into_iter().filter(|(name, _)| !overridden(name)).chain(self.more.clone()).collect()
    }

    /// Runs one of the range's scripts and returns what it printed.
    pub fn script(&self, name: &str, arguments: &[&str]) -> String {
        let output = Command::new(format!("{}/range/{name}", env!("CARGO_MANIFEST_DIR")))
            .args(arguments)
            .envs(self.variables())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "range/{name} {arguments:?}: {text}{errors}");
        text
    }

    pub fn breaks(&self, verb: &str) {
        self.script("break", &[verb]);
    }

    /// One value of one row.
    pub fn sql(&self, query: &str) -> String {
        let server = self.container("trading-postgres");
        self.docker(&["exec", &server, "psql", "-X", "-A", "-t", "-U", "antbot", "-d", "trading_bot_prod", "-c", query])
    }

    pub fn container(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// As [`Range::docker`], with what was printed to standard error too.
    pub fn docker_all(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Whether a container runs.
    pub fn runs(&self, name: &str) -> bool {
        self.docker(&["inspect", "-f", "{{.State.Running}}", &self.container(name)]) == "true"
    }

    /// A checksum over every row of every table of the live database.
    pub fn checksum(&self) -> String {
        let tables = self.sql("SELECT string_agg(format('%I.%I', schemaname, tablename), ',' ORDER BY 1) FROM pg_tables WHERE schemaname = 'public'");
        let sums = tables.split(',').map(|table| {
            self.sql(&format!("SELECT count(*) || ':' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM {table} t"))
        });
        sums.collect::<Vec<_>>().join(" ")
    }

    /// Switches faults of the stand-in trading bot on; an empty object ends them.
    pub async fn faults(&self, faults: serde_json::Value) {
        let url = format!("http://127.0.0.1:{}/standin/faults", self.api_port);
        let request = reqwest::Client::new().post(url).bearer_auth("rehearsal-admin-token").json(&faults);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// What the trading bot says at a path.
    pub async fn bot(&self, path: &str) -> serde_json::Value {
        let url = format!("http://127.0.0.1:{}{path}", self.api_port);
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// What the trading bot was asked: `METHOD path` of each request, in order.
    pub fn requests(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.ledger.join("requests.jsonl")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|line| Some(format!("{} {}", line["method"].as_str()?, line["path"].as_str()?)))
            .collect()
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the range {} of the failed story:\n{}", self.project, self.docker_all(&["ps", "-a"]));
            eprintln!("{}", self.docker_all(&["logs", "--tail", "20", &self.container("trading-postgres")]));
        }
        self.script("down", &[]);
    }
}

/// The stand-in, as `cargo test` has built it beside the program.
fn trading_bot() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_drbot"));
    program.parent().unwrap().join("examples/trading-bot").display().to_string()
}

fn images() -> String {
    std::env::var("RANGE_IMAGES").unwrap_or_else(|_| "drbot-range".to_owned())
}

/// The full name of one of the range's images.
pub fn image(name: &str) -> String {
    format!("{}-{name}", images())
}

/// A port that nobody listens on, and that nobody is given: the kernel takes the ports of connections, and those of
/// listeners that ask for any, from 32768 on. Another story's connection would have it before the container does.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two test runs on one machine begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    loop {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
