//! Verifying backups: good ones pass, and each kind of damage is named before anything is done with the file.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use drbot::runbook::action::{Action, Postgres};
use serde_json::{Value, json};

use crate::support::{
    acting::{Acting, DATABASE, backup, refusal},
    range::Range,
};

#[tokio::test(flavor = "multi_thread")]
async fn good_backups_pass_and_damaged_ones_are_refused() {
    let range = Range::up();
    let acting = Acting::on(&range, "000000a1");
    good_ones(&range, &acting).await;
    damaged_with_a_manifest(&range, &acting).await;
    damaged_without_a_manifest(&range, &acting).await;
    what_is_no_backup(&range, &acting).await;
    of_another_database(&range, &acting).await;
    one_that_names_a_database_of_its_own(&range, &acting).await;
    a_backup_of_the_damage_is_never_the_default(&range, &acting).await;
    an_old_one_is_no_worse(&range, &acting).await;
    assert_eq!(crate::support::acting::made_by(&range, &acting.run), [""; 0]);
}

async fn good_ones(range: &Range, acting: &Acting) {
    for (ending, format) in [("dump", "custom"), ("sql", "plain")] {
        let name = backup(range, ending);
        let done = acting.does("verify", acting.verify(&name)).await.unwrap();
        assert_eq!(done.fields["backup"], json!(name));
        assert_eq!(done.fields["format"], json!(format));
        assert_eq!(done.fields["integrity"], json!("verified"));
        assert_eq!(done.fields["tables"]["public.trades"], manifest(range, &name)["tables"]["public.trades"]);
        assert!(done.fields["loss_seconds"].is_number() && done.fields["loss_rows"].is_number(), "{:?}", done.fields);
        assert_eq!(done.fields["warnings"], json!([]));
    }
    // The list that completion shows: quick, and it knows what was proved.
    let begin = std::time::Instant::now();
    let list = Action::Postgres(Postgres::Backups {});
    let listed = acting.does("backups", list).await.unwrap();
    eprintln!("list of backups: {:?}", begin.elapsed());
    assert_eq!(listed.fields["count"], json!(2));
    assert!(listed.fields["age"].is_number());
    for backup in listed.fields["backups"].as_array().unwrap() {
        assert_eq!(backup["integrity"], json!("verified"), "{backup}");
        assert_eq!(backup["database"], json!(DATABASE), "{backup}");
        assert_eq!(backup["flags"], json!([]));
        assert!(backup["loss_seconds"].is_number() && backup["age"].is_number() && backup["size"].is_number());
    }
    let newest = acting.does("verify", acting.verify("newest-verified")).await.unwrap();
    assert_eq!(newest.fields["backup"], json!(backup(range, "dump")), "of two equally new ones the faster");
}

async fn damaged_with_a_manifest(range: &Range, acting: &Acting) {
    let check = async |name: &str, break_it: &dyn Fn(&Path), says: &str| {
        let copy = Copy::of(range, name, "broken", true);
        break_it(&copy.path);
        let why = refusal(acting.does("verify", acting.verify(&copy.name)).await);
        assert!(why.contains(says), "{name}: {why:?} does not say {says:?}");
    };
    for ending in ["dump", "sql"] {
        let name = backup(range, ending);
        check(&name, &|path| cut(path, 0.5), "size").await;
        check(&name, &|path| flip(path, 0.5), "checksum").await;
        check(&name, &|path| cut(path, 0.0), "empty").await;
    }
}

async fn damaged_without_a_manifest(range: &Range, acting: &Acting) {
    let check = async |ending: &str, break_it: &dyn Fn(&Path), says: &str| {
        let copy = Copy::of(range, &backup(range, ending), "bare", false);
        break_it(&copy.path);
        copy.age(60);
        let why = refusal(acting.does("verify", acting.verify(&copy.name)).await);
        assert!(why.contains(says), "{ending}: {why:?} does not say {says:?}");
    };
    check("dump", &|path| cut(path, 0.9), "pg_restore").await;
    check("dump", &|path| flip(path, 0.6), "pg_restore").await;
    check("sql", &|path| cut_by(path, 2_000), "cut off").await;
    check("sql", &|path| cut_by(path, 150), "cut off").await;
    // Whole, but nothing proves it: by name only, and it says so.
    for ending in ["dump", "sql"] {
        let copy = Copy::of(range, &backup(range, ending), "whole", false);
        copy.age(60);
        let done = acting.does("verify", acting.verify(&copy.name)).await.unwrap();
        assert_eq!(done.fields["integrity"], json!("unknown"));
        assert!(!done.fields["warnings"].as_array().unwrap().is_empty());
    }
    // Still being written.
    let copy = Copy::of(range, &backup(range, "sql"), "growing", false);
    let path = copy.path.clone();
    let writer = tokio::spawn(async move {
        let mut file = File::options().append(true).open(&path).unwrap();
        loop {
            file.write_all(b"\n").unwrap();
            drbot::clock::Clock::system().sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let why = refusal(acting.does("verify", acting.verify(&copy.name)).await);
    writer.abort();
    assert!(why.contains("written"), "{why}");
}

async fn what_is_no_backup(range: &Range, acting: &Acting) {
    let folder = &range.backups;
    fs::create_dir(folder.join("folder.dump")).unwrap();
    symlink("/etc/passwd", folder.join("link.sql")).unwrap();
    fs::write(folder.join("notes.sql"), "hello\n").unwrap();
    let absolute = folder.join(backup(range, "dump")).display().to_string();
    let names = ["../../etc/passwd", "/etc/passwd", "", ".", "..", "a\0b", "folder.dump", "link.sql", &absolute];
    for name in names {
        let why = refusal(acting.does("verify", acting.verify(name)).await);
        assert!(why.contains(&backup(range, "dump")), "{name:?}: {why:?} does not say which there are");
    }
    refusal(acting.does("verify", acting.verify("notes.sql")).await);
    fs::remove_dir(folder.join("folder.dump")).unwrap();
    fs::remove_file(folder.join("link.sql")).unwrap();
    fs::remove_file(folder.join("notes.sql")).unwrap();
}

async fn of_another_database(range: &Range, acting: &Acting) {
    range.sql("CREATE DATABASE billing");
    let server = range.container("trading-postgres");
    let dump = ["exec", &server, "pg_dump", "-U", "antbot", "-Fc", "-f", "/tmp/billing.dump", "billing"];
    range.docker(&dump);
    let path = range.backups.join("billing.dump");
    range.docker(&["cp", &format!("{server}:/tmp/billing.dump"), path.to_str().unwrap()]);
    age(&path, 60);
    let why = refusal(acting.does("verify", acting.verify("billing.dump")).await);
    assert!(why.contains("billing") && why.contains(DATABASE), "{why}");
    fs::remove_file(path).unwrap();
    let copy = Copy::of(range, &backup(range, "sql"), "other", true);
    copy.edit_manifest(|manifest| manifest["database"] = json!("billing"));
    let why = refusal(acting.does("verify", acting.verify(&copy.name)).await);
    assert!(why.contains("billing"), "{why}");
}

/// `pg_dump -C` writes `\connect trading_bot_prod`; what comes after that goes there, whatever database psql was told.
async fn one_that_names_a_database_of_its_own(range: &Range, acting: &Acting) {
    let server = range.container("trading-postgres");
    range.docker(&["exec", &server, "pg_dump", "-U", "antbot", "-C", "-f", "/tmp/own.sql", DATABASE]);
    let path = range.backups.join("own.sql");
    range.docker(&["cp", &format!("{server}:/tmp/own.sql"), path.to_str().unwrap()]);
    age(&path, 60);
    let why = refusal(acting.does("verify", acting.verify("own.sql")).await);
    assert!(why.contains("without -C"), "{why}");
    fs::remove_file(path).unwrap();
}

async fn a_backup_of_the_damage_is_never_the_default(range: &Range, acting: &Acting) {
    let shrunk = Copy::of(range, &backup(range, "dump"), "9999-shrunk", true);
    shrunk.edit_manifest(|manifest| {
        manifest["created_at"] = json!("2999-01-01T00:00:00Z");
        manifest["tables"]["public.trades"] = json!(5_000);
    });
    let without = Copy::of(range, &backup(range, "sql"), "9999-without", true);
    without.edit_manifest(|manifest| {
        manifest["created_at"] = json!("2999-01-01T00:00:01Z");
        manifest["tables"].as_object_mut().unwrap().remove("public.trades");
    });
    let done = acting.does("verify", acting.verify("newest-verified")).await.unwrap();
    assert!(!done.fields["backup"].as_str().unwrap().contains("9999"), "{:?}", done.fields["backup"]);
    // By name it may be had, with a warning.
    for (copy, says) in [(&shrunk, "5000"), (&without, "public.trades")] {
        let done = acting.does("verify", acting.verify(&copy.name)).await.unwrap();
        assert!(done.fields["warnings"].to_string().contains(says), "{:?}", done.fields["warnings"]);
    }
}

async fn an_old_one_is_no_worse(range: &Range, acting: &Acting) {
    let old = Copy::of(range, &backup(range, "dump"), "0000-old", true);
    old.edit_manifest(|manifest| manifest["created_at"] = json!("2020-01-01T00:00:00Z"));
    let done = acting.does("verify", acting.verify(&old.name)).await.unwrap();
    assert!(done.fields["age"].as_i64().unwrap() > 86_400 * 365);
}

fn manifest(range: &Range, name: &str) -> Value {
    let text = fs::read_to_string(range.backups.join(format!("{name}.manifest.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A copy of a backup under another name, to be damaged; gone when dropped.
struct Copy {
    name: String,
    path: PathBuf,
}

impl Copy {
    fn of(range: &Range, name: &str, prefix: &str, with_manifest: bool) -> Self {
        let copy = format!("{prefix}-{name}");
        let path = range.backups.join(&copy);
        fs::copy(range.backups.join(name), &path).unwrap();
        let made = Self { name: copy.clone(), path };
        if with_manifest {
            fs::copy(range.backups.join(format!("{name}.manifest.json")), made.manifest()).unwrap();
            made.edit_manifest(|manifest| manifest["file"] = json!(copy));
        }
        made
    }

    fn manifest(&self) -> PathBuf {
        self.path.with_file_name(format!("{}.manifest.json", self.name))
    }

    fn edit_manifest(&self, edit: impl FnOnce(&mut Value)) {
        let mut manifest = serde_json::from_str(&fs::read_to_string(self.manifest()).unwrap()).unwrap();
        edit(&mut manifest);
        fs::write(self.manifest(), manifest.to_string()).unwrap();
    }

    fn age(&self, seconds: u64) {
        age(&self.path, seconds);
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.manifest());
    }
}

fn age(path: &Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    let then = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(seconds);
    file.set_modified(then).unwrap();
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a file"
)]
fn place(path: &Path, share: f64) -> u64 {
    (fs::metadata(path).unwrap().len() as f64 * share) as u64
}

fn cut(path: &Path, share: f64) {
    File::options().write(true).open(path).unwrap().set_len(place(path, share)).unwrap();
}

fn cut_by(path: &Path, bytes: u64) {
    File::options().write(true).open(path).unwrap().set_len(fs::metadata(path).unwrap().len() - bytes).unwrap();
}

fn flip(path: &Path, share: f64) {
    let at = place(path, share);
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    byte[0] ^= 0x10;
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&byte).unwrap();
}
