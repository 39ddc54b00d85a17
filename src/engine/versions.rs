//! Versions of a target: which are there, which were good, which one to go back to.
//!
//! A version is recorded good by looks of drbot's own, while nothing is being done on its target: the container's image,
//! what the version says of itself, and its health must agree for the whole time. So "the last good version" is what was
//! seen, not what somebody remembers at 03:00. What must stay true: a tag counts only for the image that it named then.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Engine;
use crate::{
    access::Permit,
    actions::{Context, Done, Failure},
    clock::Timestamp,
    config::settings::VersionsTarget,
    runbook::action::{Action, Docker, Http, Postgres, Verdict, Versions},
    version::{Rule, Version},
};

/// The limit of one look.
const LOOK: Duration = Duration::from_secs(5);
/// What stands for the version that was recorded good last.
const LAST_GOOD: &str = "last-good";

/// What runs now, as far as it can be seen.
#[derive(Debug, Default)]
struct Deployed {
    /// The tag and id of the container's image; none without a container.
    container: Option<(String, String)>,
    /// What it says of itself.
    answers: Option<String>,
    healthy: bool,
}

/// A version that could be deployed, or was.
#[derive(Debug, Clone)]
struct Candidate {
    name: String,
    image: String,
    created_at: Value,
    present: bool,
    known: Option<Version>,
    schema: &'static str,
    running: bool,
}

impl Candidate {
    fn verdict(&self) -> &'static str {
        match &self.known {
            Some(known) if known.is_bad() => "bad",
            Some(known) if known.is_good() => "good",
            _ => "unknown",
        }
    }

    fn good_at(&self) -> Option<Timestamp> {
        self.known.as_ref().filter(|known| known.is_good()).and_then(|known| known.good_at)
    }

    fn why(&self) -> Option<&str> {
        self.known.as_ref().filter(|known| known.is_bad())?.why.as_deref()
    }

    fn shown(&self) -> Value {
        json!({
            "version": self.name,
            "image": self.image,
            "created_at": self.created_at,
            "present": self.present,
            "verdict": self.verdict(),
            "good_at": self.good_at(),
            "bad_at": self.known.as_ref().and_then(|known| known.bad_at),
            "why": self.why(),
            "schema": self.schema,
            "running": self.running,
        })
    }
}

impl Engine {
    /// Does one of the actions on versions.
    pub(super) async fn versions(&self, _: &Permit, action: &Versions, context: &Context) -> Result<Done, Failure> {
        match action {
            Versions::List {} => {
                let (candidates, deployed) = self.candidates(context).await?;
                let good = candidates.iter().filter(|one| one.verdict() == "good").count();
                let running = running(&candidates, &deployed);
                let shown: Vec<Value> = candidates.iter().map(Candidate::shown).collect();
                Ok(Done::new(format!("{} versions, {good} of them recorded good", shown.len()))
                    .with("versions", shown)
                    .with("running", json!(running)))
            }
            Versions::Choose { version } => {
                let (candidates, deployed) = self.candidates(context).await?;
                choose(version, &candidates, &deployed)
            }
            Versions::Current {} => self.current(context).await,
            Versions::Answers { version, image } => {
                let deployed = self.deployed(table(context)?, context).await;
                let (tag, id) = deployed.container.unzip();
                // A tag may have been given to another image since it was chosen.
                let is_image = image.is_empty() || id.as_ref() == Some(image);
                let same = tag.as_ref() == Some(version) && deployed.answers.as_ref() == Some(version) && is_image;
                let summary = match (&deployed.answers, &tag) {
                    (Some(_), Some(tag)) if tag == version && !is_image => format!("{tag} is another image now"),
                    (Some(answers), _) if same => format!("{answers} answers"),
                    (Some(answers), Some(tag)) if answers != tag => format!("{answers} answers, of the image {tag}"),
                    (Some(answers), _) => format!("{answers} answers, not {version}"),
                    (None, _) => "it does not answer".to_owned(),
                };
                Ok(Done::new(summary)
                    .with("same", same)
                    .with("answers", json!(deployed.answers))
                    .with("deployed", json!(tag))
                    .with("healthy", deployed.healthy))
            }
            Versions::Mark { version, verdict, why } => self.mark(version, *verdict, why, context).await,
        }
    }

    /// The versions of a command's target, the best choice first: for completion and for checking.
    ///
    /// # Errors
    /// Why they cannot be listed.
    pub async fn versions_of(&self, target: &str) -> Result<Vec<Map<String, Value>>, String> {
        let context = self.background(target, LOOK).ok_or("the command's target is gone")?;
        let listed = self.within(LOOK, &context.cancel, self.candidates(&context)).await;
        let (mut candidates, _) = match listed {
            Some(listed) => listed.map_err(|failure| failure.to_string())?,
            None => return Err("the versions cannot be listed in time".to_owned()),
        };
        candidates.retain(|one| one.present);
        Ok(candidates.iter().filter_map(|one| one.shown().as_object().cloned()).collect())
    }

    /// Looks at what is deployed on a target, and records it. Not while something is done there: a version that is ill
    /// because its database is being restored is not a bad one, and one that is being deployed is not yet a good one.
    pub(super) async fn note_version(&self, target: &str, every: Duration) {
        let Some(context) = self.background(target, LOOK) else { return };
        let Ok(settings) = table(&context) else { return };
        if self.is_acting_on(target).await {
            return;
        }
        let deployed = self.deployed(settings, &context).await;
        let Some((name, image)) = &deployed.container else { return };
        // An image that says it is another version is not what its tag promises.
        let healthy = deployed.healthy && deployed.answers.as_ref() == Some(name);
        let rule = Rule { healthy_for: settings.healthy_for.0, blind_for: (every * 3).max(Duration::from_secs(10)) };
        let noted = async {
            let known = self.0.store.versions(target).await?;
            let before = known.into_iter().find(|known| known.name == *name && known.image == *image);
            let was_good = before.as_ref().is_some_and(Version::is_good);
            let now = Version::seen(before, name, image, healthy, self.0.clock.now(), rule);
            if now.is_good() && !was_good {
                tracing::info!(target_name = target, version = name, "this version is recorded good");
            }
            self.0.store.put_version(target, &now).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(error = format!("{error:#}"), "the version could not be noted");
        }
    }

    /// Whether a run that changes something is under way on a target.
    async fn is_acting_on(&self, target: &str) -> bool {
        let runs: Vec<_> =
            self.0.runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).values().cloned().collect();
        for run in runs {
            let state = run.state().await;
            let command = &state.created.command;
            if command.target.as_deref() == Some(target) && command.risk != crate::runbook::definition::Risk::Read {
                return true;
            }
        }
        false
    }

    async fn current(&self, context: &Context) -> Result<Done, Failure> {
        let deployed = self.deployed(table(context)?, context).await;
        let answers = json!(deployed.answers);
        if let Some((version, image)) = deployed.container {
            return Ok(Done::new(format!("{version} is deployed"))
                .with("version", version)
                .with("image", image)
                .with("deployed", true)
                .with("answers", answers));
        }
        let name = self.target_name(context)?;
        let known = self.0.store.versions(&name).await.map_err(|error| Failure::failed(format!("{error:#}")))?;
        let Some(last) = known.into_iter().next() else {
            return Err(Failure::failed("nothing is deployed, and no version was ever seen: say which one to deploy"));
        };
        Ok(Done::new(format!("nothing is deployed; the last was {}", last.name))
            .with("version", last.name)
            .with("image", last.image)
            .with("deployed", false)
            .with("answers", answers))
    }

    async fn mark(&self, name: &str, verdict: Verdict, why: &str, context: &Context) -> Result<Done, Failure> {
        let target = self.target_name(context)?;
        let store_failed = |error: anyhow::Error| Failure::failed(format!("{error:#}"));
        let (candidates, _) = self.candidates(context).await?;
        let Some(candidate) = candidates.into_iter().find(|one| one.name == name) else {
            return Err(Failure::refused(format!("there is no version {name}")));
        };
        let now = self.0.clock.now();
        let mut version = candidate.known.unwrap_or(Version {
            name: candidate.name,
            image: candidate.image,
            first_seen: now,
            last_seen: now,
            healthy_since: None,
            good_at: None,
            bad_at: None,
            why: None,
        });
        let word = match verdict {
            Verdict::Good => {
                (version.good_at, version.bad_at, version.why) = (Some(now), None, None);
                "good"
            }
            Verdict::Bad => {
                (version.bad_at, version.healthy_since) = (Some(now), None);
                version.why = Some(self.0.secrets.mask(why));
                "bad"
            }
        };
        self.0.store.put_version(&target, &version).await.map_err(store_failed)?;
        Ok(Done::new(format!("{name} is recorded {word}")))
    }

    /// All versions that this machine has or drbot remembers, the last good first.
    async fn candidates(&self, context: &Context) -> Result<(Vec<Candidate>, Deployed), Failure> {
        let settings = table(context)?;
        let target = self.target_name(context)?;
        let images = Action::Docker(Docker::Images { repository: settings.image.clone() });
        let (images, deployed, schema, known) = tokio::join!(
            self.0.actions.perform(&images, context),
            self.deployed(settings, context),
            self.schema(settings, context),
            self.0.store.versions(&target),
        );
        let mut known = known.map_err(|error| Failure::failed(format!("{error:#}")))?;
        let images = images?;
        let images = images.fields.get("images").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_running = |name: &str| deployed.container.as_ref().is_some_and(|(running, _)| running == name);
        let mut candidates: Vec<Candidate> = Vec::new();
        for image in images {
            let text = |field: &str| image[field].as_str().unwrap_or_default().to_owned();
            let (name, id) = (text("tag"), text("id"));
            let at = known.iter().position(|known| known.name == name && known.image == id);
            let label = settings.schema_label.as_ref().and_then(|label| image["labels"][label].as_str());
            candidates.push(Candidate {
                running: is_running(&name),
                schema: fit(label, schema.as_deref()),
                created_at: image["created_at"].clone(),
                present: true,
                known: at.map(|at| known.remove(at)),
                name,
                image: id,
            });
        }
        // Remembered, and not there any more (or the tag names another image now).
        candidates.extend(known.into_iter().map(|known| Candidate {
            running: false,
            schema: "unknown",
            created_at: Value::Null,
            present: false,
            name: known.name.clone(),
            image: known.image.clone(),
            known: Some(known),
        }));
        candidates
            .sort_by_key(|one| std::cmp::Reverse((one.verdict() == "good", one.good_at(), one.verdict() != "bad")));
        Ok((candidates, deployed))
    }

    async fn deployed(&self, settings: &VersionsTarget, context: &Context) -> Deployed {
        let inspect = Action::Docker(Docker::Inspect { container: settings.container.clone() });
        let get = |url: &str| Action::Http(Http { get: Some(url.to_owned()), ..Http::default() });
        let (version, health) = (get(&settings.answers), get(&settings.health));
        let (container, version, health) = tokio::join!(
            self.0.actions.perform(&inspect, context),
            self.0.actions.perform(&version, context),
            self.0.actions.perform(&health, context),
        );
        let container = container.ok().and_then(|found| {
            let text = |field: &str| found.fields.get(field)?.as_str().map(str::to_owned);
            let tag = text("image")?.strip_prefix(&settings.image)?.strip_prefix(':')?.to_owned();
            Some((tag, text("image_id")?))
        });
        let answers = version.ok().and_then(|said| Some(said.fields.get("json")?["version"].as_str()?.to_owned()));
        let healthy = health.is_ok_and(|said| said.fields.get("status") == Some(&json!(200)));
        Deployed { container, answers, healthy }
    }

    /// The schema version of the target's database; none when it cannot be told.
    async fn schema(&self, settings: &VersionsTarget, context: &Context) -> Option<String> {
        let query = settings.schema_query.clone()?;
        let database = context.target.as_ref()?.postgres.as_ref()?.database.clone();
        let action = Action::Postgres(Postgres::Sql { database, query, params: Vec::new() });
        let work = self.0.actions.perform(&action, context);
        let done = self.0.clock.timeout(LOOK, work).await?.ok()?;
        match &done.fields.get("rows")?.as_array()?.first()?["version"] {
            Value::String(version) => Some(version.clone()),
            Value::Number(version) => Some(version.to_string()),
            _ => None,
        }
    }

    /// The target's name in `drbot.toml`, by which the store knows it.
    fn target_name(&self, context: &Context) -> Result<String, Failure> {
        let versions = table(context)?;
        let configuration = self.configuration();
        let mut named = configuration.settings.target.iter();
        let name = named.find_map(|(name, target)| (target.versions.as_ref() == Some(versions)).then(|| name.clone()));
        name.ok_or_else(|| Failure::refused("the target of this run is not in drbot.toml any more"))
    }
}

fn table(context: &Context) -> Result<&VersionsTarget, Failure> {
    let versions = context.target.as_ref().and_then(|target| target.versions.as_ref());
    versions.ok_or_else(|| Failure::refused("the target names no versions: [target.….versions] in drbot.toml"))
}

fn running(candidates: &[Candidate], deployed: &Deployed) -> Option<String> {
    let by_image = candidates.iter().find(|one| one.running).map(|one| one.name.clone());
    by_image.or_else(|| deployed.answers.clone())
}

fn choose(wanted: &str, candidates: &[Candidate], deployed: &Deployed) -> Result<Done, Failure> {
    let chosen = if wanted == LAST_GOOD {
        let good =
            |one: &&Candidate| one.verdict() == "good" && one.present && !one.running && one.schema != "does-not-fit";
        candidates.iter().filter(good).max_by_key(|one| one.good_at()).ok_or_else(|| {
            Failure::refused(
                "no version that could be gone back to is recorded good: choose one by hand with the option version",
            )
        })?
    } else {
        let named = candidates.iter().find(|one| one.name == wanted && one.present);
        named
            .ok_or_else(|| Failure::refused(format!("this machine has no image of version {wanted}: pull it first")))?
    };
    if chosen.schema == "does-not-fit" {
        return Err(Failure::refused(format!(
            "{} does not work with the schema that the database has now; choose another version",
            chosen.name
        )));
    }
    let how = match (chosen.verdict(), chosen.good_at()) {
        ("good", Some(at)) => format!("recorded good at {}", at.format("%Y-%m-%d %H:%M UTC")),
        ("bad", _) => format!("RECORDED BAD: {}", chosen.why().unwrap_or("no reason given")),
        _ => "never recorded good".to_owned(),
    };
    let (running, running_image) = deployed.container.clone().unzip();
    Ok(Done::new(format!("{}, {how}", chosen.name))
        .with("version", chosen.name.clone())
        .with("image", chosen.image.clone())
        .with("verdict", chosen.verdict())
        .with("good_at", json!(chosen.good_at()))
        .with("why", json!(chosen.why()))
        .with("schema", chosen.schema)
        .with("running", json!(running.or_else(|| deployed.answers.clone())))
        .with("running_image", json!(running_image)))
}

/// Whether an image that works with the schema versions of its label works with the one that the database has.
fn fit(label: Option<&str>, schema: Option<&str>) -> &'static str {
    let (Some(label), Some(schema)) = (label, schema) else { return "unknown" };
    let (from, to) = label.split_once('-').unwrap_or((label, label));
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>(), schema.trim().parse::<u64>()) {
        (Ok(from), Ok(to), Ok(schema)) if (from..=to).contains(&schema) => "fits",
        (Ok(_), Ok(_), Ok(_)) => "does-not-fit",
        _ if label == schema => "fits",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, good_at: Option<i64>, bad: bool) -> Candidate {
        let at = |seconds| Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let known = Version {
            name: name.to_owned(),
            image: format!("sha256:{name}"),
            first_seen: at(0),
            last_seen: at(0),
            healthy_since: None,
            good_at: good_at.map(at),
            bad_at: bad.then(|| at(9)),
            why: bad.then(|| "it leaks".to_owned()),
        };
        Candidate {
            name: name.to_owned(),
            image: known.image.clone(),
            created_at: Value::Null,
            present: true,
            known: Some(known),
            schema: "fits",
            running: false,
        }
    }

    #[test]
    fn the_last_good_one_is_present_fits_does_not_run_and_was_not_bad_since() {
        let all = || {
            vec![
                candidate("v1", Some(100), false),
                candidate("v2", Some(200), false),
                Candidate { present: false, ..candidate("v3", Some(300), false) },
                Candidate { schema: "does-not-fit", ..candidate("v4", Some(400), false) },
                candidate("v5", Some(500), true),
                Candidate { running: true, ..candidate("v6", Some(600), false) },
                candidate("v7", None, false),
            ]
        };
        let deployed = Deployed { container: Some(("v6".to_owned(), "sha256:v6".to_owned())), ..Deployed::default() };
        let chosen = choose(LAST_GOOD, &all(), &deployed).unwrap();
        assert_eq!((&chosen.fields["version"], &chosen.fields["running"]), (&json!("v2"), &json!("v6")));
        let said = |version: &str| match choose(version, &all(), &deployed) {
            Ok(done) => done.summary,
            Err(failure) => failure.to_string(),
        };
        assert!(said("v3").contains("pull it first"));
        assert!(said("v4").contains("schema"));
        assert!(said("v5").contains("RECORDED BAD: it leaks"));
        assert!(said("v7").contains("never recorded good"));
        assert!(choose(LAST_GOOD, &[candidate("v1", None, false)], &deployed).is_err());
    }

    #[test]
    fn a_label_names_one_schema_or_a_span() {
        assert_eq!(fit(Some("3"), Some("3")), "fits");
        assert_eq!(fit(Some("2-4"), Some("3")), "fits");
        assert_eq!(fit(Some("4-9"), Some("3")), "does-not-fit");
        assert_eq!(fit(Some("10"), Some("9")), "does-not-fit");
        assert_eq!(fit(Some("2026a"), Some("2026a")), "fits");
        assert_eq!(fit(Some("2026a"), Some("2026b")), "unknown");
        assert_eq!(fit(None, Some("3")), "unknown");
        assert_eq!(fit(Some("3"), None), "unknown");
    }
}
