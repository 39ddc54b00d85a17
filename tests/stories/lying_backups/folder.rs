//! Makes backups that are not what they seem.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    acting::{DATABASE, backup},
    range::Range,
};

/// The folder of backups, with the good ones that the range made, and files that the server was made to write.
pub struct Folder {
    pub path: PathBuf,
    /// Where odd dumps lie ready.
    pub odd: tempfile::TempDir,
    pub dump: String,
    pub sql: String,
}

/// A name as long as ours.
const NEARLY: &str = "trading_bot_xxxx";

/// Dumps that pg_dump itself makes, and that are no good here.
const ODD: &str = r#"
set -e
mkdir -p /tmp/odd && cd /tmp/odd
export PGUSER=antbot
psql -q -d postgres -c 'CREATE DATABASE billing'
psql -q -d billing -c 'CREATE TABLE invoices (id integer); INSERT INTO invoices VALUES (1)'
pg_dump -Fc -f billing.dump billing
pg_dump -f billing.sql billing
pg_dump -C -f own.sql DB
pg_dump -Ft -f tar.dump DB
pg_dump -Fc -T trades -f without-trades.dump DB
pg_dump -T trades -f without-trades.sql DB
pg_dump -Fc -T portfolio_positions -f without-positions.dump DB
pg_dump -T schema_migrations -f without-migrations.sql DB
pg_dumpall -s -f all.sql
psql -q -d postgres -c 'CREATE DATABASE NEARLY TEMPLATE DB'
psql -q -d NEARLY -c "CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'stopped by a trigger'; END \$\$" \
  -c 'CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION stop()'
pg_dump -Fc -f guarded.dump NEARLY
psql -q -d postgres -c 'DROP DATABASE billing' -c 'DROP DATABASE NEARLY'
chmod -R a+r .
"#;

impl Folder {
    pub fn of(range: &Range) -> Self {
        let server = range.container("trading-postgres");
        range.docker(&["exec", &server, "sh", "-c", &ODD.replace("NEARLY", NEARLY).replace("DB", DATABASE)]);
        let odd = tempfile::tempdir().unwrap();
        range.docker(&["cp", &format!("{server}:/tmp/odd/."), odd.path().to_str().unwrap()]);
        Self { path: range.backups.clone(), odd, dump: backup(range, "dump"), sql: backup(range, "sql") }
    }

    /// A copy of a good backup, with its manifest.
    pub fn copy(&self, of: &str, name: &str) -> Lie {
        let lie = self.bare(of, name);
        let manifest = fs::read_to_string(self.path.join(format!("{of}.manifest.json"))).unwrap();
        fs::write(lie.manifest(), manifest).unwrap();
        lie.says("file", json!(name));
        lie
    }

    /// A copy of a good backup without a manifest, written a while ago.
    pub fn bare(&self, of: &str, name: &str) -> Lie {
        self.file(name, &fs::read(self.path.join(of)).unwrap())
    }

    /// One of the odd dumps, without a manifest.
    pub fn odd(&self, of: &str, name: &str) -> Lie {
        self.file(name, &fs::read(self.odd.path().join(of)).unwrap())
    }

    /// Any file, written a while ago.
    pub fn file(&self, name: &str, content: &[u8]) -> Lie {
        let lie = self.nothing(name);
        fs::write(&lie.path, content).unwrap();
        lie.age();
        lie
    }

    /// The whole of a good plain dump, with something more before its end.
    pub fn plain_with(&self, name: &str, more: &str) -> Lie {
        let text = fs::read_to_string(self.path.join(&self.sql)).unwrap();
        let (before, after) = text.split_once("-- PostgreSQL database dump complete").unwrap();
        let text = format!("{before}{more}\n\n-- PostgreSQL database dump complete{after}");
        self.file(name, text.as_bytes()).vouched_for(&self.sql)
    }

    /// A name, and nothing of it yet.
    pub fn nothing(&self, name: &str) -> Lie {
        Lie { name: name.to_owned(), path: self.path.join(name) }
    }
}

/// Gone with its manifest when dropped.
pub struct Lie {
    /// What is asked for.
    pub name: String,
    pub path: PathBuf,
}

impl Lie {
    pub fn manifest(&self) -> PathBuf {
        self.path.with_file_name(format!("{}.manifest.json", self.name))
    }

    /// Changes what its manifest says.
    pub fn says(&self, what: &str, value: Value) {
        let mut manifest: Value = serde_json::from_str(&fs::read_to_string(self.manifest()).unwrap()).unwrap();
        manifest[what] = value;
        fs::write(self.manifest(), manifest.to_string()).unwrap();
    }

    pub fn with(self, what: &str, value: Value) -> Self {
        self.says(what, value);
        self
    }

    /// A manifest like that of a good backup, whose size and checksum are right for this file as it is.
    pub fn vouched_for(self, like: &str) -> Self {
        let folder = self.path.parent().unwrap();
        fs::write(self.manifest(), fs::read(folder.join(format!("{like}.manifest.json"))).unwrap()).unwrap();
        let content = fs::read(&self.path).unwrap();
        let sum: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.says("file", json!(self.name));
        self.says("size", json!(content.len()));
        self.says("sha256", json!(sum));
        self
    }

    /// The header of a custom dump names the database that it was made of: here, one whose name is as long, made ours.
    pub fn of_our_database(self, like: &str) -> Self {
        let mut content = fs::read(&self.path).unwrap();
        let at = content.windows(NEARLY.len()).position(|part| part == NEARLY.as_bytes()).unwrap();
        content[at..at + NEARLY.len()].copy_from_slice(DATABASE.as_bytes());
        fs::write(&self.path, content).unwrap();
        self.age();
        self.vouched_for(like)
    }

    pub fn age(&self) {
        let file = File::options().append(true).open(&self.path).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(60);
        file.set_modified(then).unwrap();
    }

    pub fn cut_by(self, bytes: u64) -> Self {
        let length = fs::metadata(&self.path).unwrap().len();
        self.cut_to(length - bytes)
    }

    pub fn cut_to(self, length: u64) -> Self {
        File::options().write(true).open(&self.path).unwrap().set_len(length).unwrap();
        self.age();
        self
    }

    pub fn halved(self) -> Self {
        let length = fs::metadata(&self.path).unwrap().len();
        self.cut_to(length / 2)
    }

    /// The last bytes are zeros, as after a crash of the machine that wrote them.
    pub fn with_zeros(self, bytes: usize) -> Self {
        let at = fs::metadata(&self.path).unwrap().len() - bytes as u64;
        self.overwrite(at, &vec![0; bytes])
    }

    /// One byte in the middle is another.
    pub fn flipped(self) -> Self {
        let at = fs::metadata(&self.path).unwrap().len() / 2;
        let mut byte = [0];
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut byte).unwrap();
        self.overwrite(at, &[byte[0] ^ 0x10])
    }

    pub fn overwrite(self, at: u64, bytes: &[u8]) -> Self {
        let mut file = File::options().write(true).open(&self.path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(bytes).unwrap();
        self.age();
        self
    }
}

impl Drop for Lie {
    fn drop(&mut self) {
        for path in [self.path.as_path(), &self.manifest()] {
            let _: std::io::Result<()> = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        }
    }
}

/// Packs a file by a tool of the machine.
pub fn packed(tool: &str, path: &Path) -> Vec<u8> {
    let output = std::process::Command::new(tool).args(["-c", path.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
