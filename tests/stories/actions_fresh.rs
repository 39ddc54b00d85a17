//! A server that does not start: a fresh one beside it, and its volume in the old one's place. The old volume is never
//! touched, and a crash anywhere between is settled by what there is.

use drbot::actions::Probe;
use serde_json::json;

use crate::support::{
    acting::{Acting, backup, made_by},
    range::{Range, image},
};

fn volume(range: &Range, container: &str) -> String {
    let format = "{{range .Mounts}}{{if eq .Destination \"/var/lib/postgresql/data\"}}{{.Name}}{{end}}{{end}}";
    range.docker(&["inspect", "-f", format, container])
}

fn control_file(range: &Range, volume: &str) -> String {
    let mount = format!("{volume}:/old:ro");
    range.docker(&[
        "run",
        "--rm",
        "-v",
        &mount,
        &image("postgres:15"),
        "sha256sum",
        "/old/global/pg_control",
        "/old/PG_VERSION",
    ])
}

/// A network of which a container has an address that was asked for; gone when dropped.
struct FixedNetwork {
    name: String,
    address: String,
}

impl FixedNetwork {
    fn with(range: &Range, container: &str) -> Self {
        let name = format!("{}fixed", range.prefix);
        // One of the smallest networks, of those that are for tests.
        let part = std::process::id() % 250;
        let (subnet, address) = (format!("198.18.{part}.0/29"), format!("198.18.{part}.5"));
        range.docker(&["network", "create", "--internal", "--subnet", &subnet, &name]);
        range.docker(&["network", "connect", "--ip", &address, &name, container]);
        Self { name, address }
    }

    fn address_of(&self, range: &Range, container: &str) -> String {
        let format = format!("{{{{(index .NetworkSettings.Networks \"{}\").IPAddress}}}}", self.name);
        range.docker(&["inspect", "-f", &format, container])
    }
}

impl Drop for FixedNetwork {
    fn drop(&mut self) {
        let all = format!(
            "docker network inspect {0} -f '{{{{range $id, $_ := .Containers}}}}{{{{$id}}}} {{{{end}}}}' | xargs -n1 -r docker network disconnect -f {0}; docker network rm {0}",
            self.name
        );
        let _ = std::process::Command::new("sh").args(["-c", &all]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_start_is_replaced_and_its_volume_is_kept() {
    let range = Range::up();
    let server = range.container("trading-postgres");
    let mut acting = Acting::on(&range, "000000f1");
    let counts = drbot::runbook::action::Postgres::Counts { database: "trading_bot_prod".to_owned() };
    let before = acting.does("counts", drbot::runbook::action::Action::Postgres(counts)).await.unwrap();
    acting.sample = Some(drbot::sample::Sample {
        at: drbot::clock::Clock::system().now(),
        tables: serde_json::from_value(before.fields["tables"].clone()).unwrap(),
        newest: before.fields["newest"].as_str().and_then(|at| at.parse().ok()),
    });
    let old_volume = volume(&range, &server);
    // Others may know it by an address that it always has.
    let fixed = FixedNetwork::with(&range, &server);
    range.breaks("data-directory-unusable");
    let evidence = control_file(&range, &old_volume);

    let assessed = acting.does("assess", acting.assess()).await.unwrap();
    assert_eq!(assessed.fields["server"], json!("down"));
    assert_eq!(assessed.fields["database"], json!("unreachable"));
    assert_eq!(assessed.fields["measured_by"], json!("sample"));
    assert_eq!(assessed.fields["tables"], before.fields["tables"]);

    let verified = acting.does("verify", acting.verify(&backup(&range, "dump"))).await.unwrap();
    let restored = acting.does("restore", acting.restore(&verified)).await.unwrap();
    assert_eq!(restored.fields["server"], json!("fresh"));
    assert_eq!(restored.fields["database"], json!("trading_bot_prod"));
    let fresh = restored.fields["container"].as_str().unwrap().to_owned();
    let new_volume = restored.fields["volume"].as_str().unwrap().to_owned();
    assert_ne!(new_volume, old_volume);
    acting.does("integrity", acting.integrity(&verified)).await.unwrap();

    // Given up: nothing of it is left. And begun again.
    acting.does("restore", acting.drop_scratch()).await.unwrap();
    assert_eq!(made_by(&range, &acting.run), [""; 0]);
    range.docker(&["volume", "inspect", &old_volume]);
    acting.does("restore", acting.restore(&verified)).await.unwrap();
    // Again while it is there: the same end.
    acting.does("restore", acting.restore(&verified)).await.unwrap();
    acting.does("integrity", acting.integrity(&verified)).await.unwrap();
    let facts = acting.prepares("swap", acting.swap()).await;
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));

    // As a drbot that was killed leaves it: the old one is aside already, under its new name; the place is empty.
    let aside = format!("{server}-damaged-{}", acting.run);
    range.docker(&["rename", &server, &aside]);
    range.docker(&["stop", &fresh]);
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));
    let facts = acting.prepares("swap", acting.swap()).await;
    let swapped = acting.performs("swap", acting.swap(), &facts).await.unwrap();
    eprintln!("swap of containers: {:?} ms", swapped.fields["interrupted_ms"]);
    assert_eq!(swapped.fields["kept"], json!(old_volume));
    assert!(swapped.fields["drop_hint"].as_str().unwrap().contains(&old_volume));
    assert!(swapped.fields["kept_size"].as_u64().unwrap() > 10_000_000, "{:?}", swapped.fields["kept_size"]);
    assert_eq!(volume(&range, &server), new_volume);
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::Happened(_)));

    // The same to whoever uses it: names on the network, port, labels, health check, restart policy.
    let shown = |what: &str, container: &str| range.docker(&["inspect", "-f", what, container]);
    for what in [
        "{{index .Config.Labels \"com.docker.compose.service\"}}",
        "{{json .HostConfig.PortBindings}}",
        "{{json .HostConfig.ShmSize}}",
        "{{json .Config.Healthcheck}}",
        "{{json .Config.StopTimeout}}",
        "{{.Config.Image}}",
    ] {
        assert_eq!(shown(what, &server), shown(what, &aside), "{what}");
    }
    assert_eq!(fixed.address_of(&range, &server), fixed.address);
    let aliases = shown("{{range .NetworkSettings.Networks}}{{json .Aliases}}{{end}}", &server);
    assert!(aliases.contains("\"postgres\"") && aliases.contains("trading-postgres"), "{aliases}");
    assert_eq!(range.docker(&["ps", "-a", "-q", "--filter", &format!("name=^{fresh}$")]), "", "the fresh one is gone");
    assert!(shown("{{.State.Status}}", &aside) != "running");
    assert_eq!(evidence, control_file(&range, &old_volume), "the old volume is as it was");

    // Fenced until it is allowed; then the trading bot finds it by its name.
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "on");
    let loss = acting.does("loss", acting.loss()).await.unwrap();
    assert!(
        loss.fields["seconds"].is_number() && loss.fields["how"].as_str().unwrap().contains("sample"),
        "{:?}",
        loss.fields
    );
    acting.does("writes", acting.writes(true)).await.unwrap();
    assert_eq!(range.sql("SHOW default_transaction_read_only"), "off");
    assert_eq!(
        range.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'trading_bot_prod'"),
        "trading_bot"
    );
    crate::support::until("the trading bot to be healthy", async || {
        range.docker_all(&["exec", &range.container("trading-bot"), "true"]);
        (range.bot("/health").await["status"] == "healthy").then_some(())
    })
    .await;
    // Dropping the scratch of a run that was swapped in takes nothing away.
    acting.does("drop", acting.drop_scratch()).await.unwrap();
    assert_eq!(range.sql("SELECT count(*) > 1000 FROM trades"), "t");
}

/// The new container cannot take the place: the old one is put back, and what was restored is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_containers_that_fails_is_taken_back_and_can_be_done_again() {
    let range = Range::up();
    let server = range.container("trading-postgres");
    let acting = Acting::on(&range, "000000f2");
    range.breaks("data-directory-unusable");
    let old_volume = volume(&range, &server);
    acting.restores(&backup(&range, "sql")).await;
    let facts = acting.prepares("swap", acting.swap()).await;
    // Somebody sits on the port.
    let port = std::net::TcpListener::bind(("127.0.0.1", range.pg_port)).unwrap();
    let result = acting.performs("swap", acting.swap(), &facts).await;
    assert!(matches!(result, Err(drbot::actions::Failure::Failed { .. })), "{result:?}");
    assert_eq!(volume(&range, &server), old_volume, "the old one has its name again");
    assert!(matches!(acting.probes("swap", acting.swap(), &facts).await, Probe::DidNotHappen));
    drop(port);
    let facts = acting.prepares("swap", acting.swap()).await;
    acting.performs("swap", acting.swap(), &facts).await.unwrap();
    acting.does("writes", acting.writes(true)).await.unwrap();
    assert_eq!(range.sql("SELECT count(*) > 1000 FROM trades"), "t");
}
