//! Backups that change while they are looked at: still being written, replaced, taken away.

use std::{fs, io::Write, time::Duration};

use drbot::{actions::Failure, clock::Clock};

use super::folder::Folder;
use crate::support::{
    acting::{Acting, made_by, refusal},
    range::Range,
};

pub async fn all(range: &Range, folder: &Folder, acting: &Acting) {
    growing(folder, acting).await;
    without_its_manifest_yet(folder, acting).await;
    replaced(folder, acting).await;
    replaced_with_the_times_of_the_old_one(folder, acting).await;
    removed(folder, acting).await;
    replaced_by_a_link(folder, acting).await;
    assert_eq!(made_by(range, &acting.run), [""; 0]);
}

async fn growing(folder: &Folder, acting: &Acting) {
    let lie = folder.bare(&folder.sql, "growing.sql");
    let path = lie.path.clone();
    let writer = tokio::spawn(async move {
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        loop {
            file.write_all(b"\n").unwrap();
            Clock::system().sleep(Duration::from_millis(20)).await;
        }
    });
    Clock::system().sleep(Duration::from_millis(50)).await;
    let why = refusal(acting.does("verify", acting.verify(&lie.name)).await);
    writer.abort();
    assert!(why.contains("written"), "{why}");
}

/// The newest of all, complete, and its manifest is on its way: not taken unasked.
async fn without_its_manifest_yet(folder: &Folder, acting: &Acting) {
    let lie = folder.nothing("zzz-newest.dump");
    fs::copy(folder.path.join(&folder.dump), &lie.path).unwrap();
    let why = refusal(acting.does("verify", acting.verify(&lie.name)).await);
    assert!(why.contains("a moment ago") && why.contains(&folder.dump), "{why}");
    let newest = acting.does("verify", acting.verify("newest-verified")).await.unwrap();
    assert_eq!(newest.fields["backup"], serde_json::json!(folder.dump));
}

/// Another file of the same name between `verify` and `restore`: what was approved is what is restored, or nothing.
async fn replaced(folder: &Folder, acting: &Acting) {
    let lie = folder.copy(&folder.sql, "a.sql");
    let verified = acting.does("verify", acting.verify(&lie.name)).await.unwrap();
    let text = fs::read_to_string(&lie.path).unwrap().replacen("desk-001", "desk-xxx", 1);
    fs::write(&lie.path, text).unwrap();
    let why = refusal(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("a.sql") && why.contains("verify again"), "{why}");
}

async fn replaced_with_the_times_of_the_old_one(folder: &Folder, acting: &Acting) {
    let lie = folder.copy(&folder.sql, "a.sql");
    let verified = acting.does("verify", acting.verify(&lie.name)).await.unwrap();
    let modified = fs::metadata(&lie.path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&lie.path).unwrap().replacen("desk-001", "desk-xxx", 1);
    fs::write(&lie.path, text).unwrap();
    fs::File::options().append(true).open(&lie.path).unwrap().set_modified(modified).unwrap();
    let why = refusal(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("verify again"), "{why}");
    let why = refusal(acting.does("verify", acting.verify(&lie.name)).await);
    assert!(why.contains("checksum"), "what was remembered of it does not count any more: {why}");
}

async fn removed(folder: &Folder, acting: &Acting) {
    let lie = folder.copy(&folder.dump, "a.dump");
    let verified = acting.does("verify", acting.verify(&lie.name)).await.unwrap();
    drop(lie);
    let why = refusal(acting.does("restore", acting.restore(&verified)).await);
    assert!(why.contains("a.dump") && why.contains(&folder.dump), "{why}");
}

async fn replaced_by_a_link(folder: &Folder, acting: &Acting) {
    let lie = folder.copy(&folder.dump, "a.dump");
    let verified = acting.does("verify", acting.verify(&lie.name)).await.unwrap();
    fs::remove_file(&lie.path).unwrap();
    std::os::unix::fs::symlink(folder.path.join(&folder.dump), &lie.path).unwrap();
    let result = acting.does("restore", acting.restore(&verified)).await;
    assert!(matches!(&result, Err(Failure::Refused { message }) if message.contains("link")), "{result:?}");
}
