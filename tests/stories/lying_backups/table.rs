//! The table: what is wrong with each backup, and what is to be said of it.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;

use super::folder::{Folder, Lie, packed};

/// What must become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// There is nothing of the kind in the folder.
    Unknown,
    /// Refused when it is verified.
    Refused,
    /// It may be had by its name, with a warning; never unasked.
    Flagged,
    /// Refused at the latest by what checks the restored database, beside the live one.
    RefusedBeside,
    /// There is nothing wrong with it.
    Good,
}

impl Fate {
    /// As the documentation says it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unknown => "refused: there is none of that name",
            Self::Refused => "refused when it is verified",
            Self::Flagged => "by name only, with a warning on the card",
            Self::RefusedBeside => "refused when it is checked beside",
            Self::Good => "good",
        }
    }
}

pub struct Row {
    pub what: &'static str,
    pub make: fn(&Folder) -> Lie,
    pub fate: Fate,
    pub says: &'static str,
    /// Shown by the whole program too, on a card.
    pub on_card: bool,
}

const fn row(what: &'static str, fate: Fate, says: &'static str, make: fn(&Folder) -> Lie) -> Row {
    Row { what, make, fate, says, on_card: false }
}

impl Row {
    const fn on_card(self) -> Self {
        Self { on_card: true, ..self }
    }
}

use Fate::{Flagged, Good, Refused, RefusedBeside, Unknown};

/// Cut off, overwritten, never written.
pub const DAMAGED: &[Row] = &[
    row("empty", Refused, "it is empty", |f| f.file("a.sql", b"")).on_card(),
    row("empty, with a manifest", Refused, "it is empty", |f| f.copy(&f.dump, "a.dump").cut_to(0)),
    row("plain, cut at half", Refused, "cut off", |f| f.bare(&f.sql, "a.sql").halved()).on_card(),
    row("plain, cut at half, with a manifest", Refused, "its size is", |f| f.copy(&f.sql, "a.sql").halved()),
    row("plain, cut at half before its manifest was made", Refused, "cut off", |f| {
        f.bare(&f.sql, "a.sql").halved().vouched_for(&f.sql)
    }),
    row("plain, without its last 2 kB", Refused, "cut off", |f| f.bare(&f.sql, "a.sql").cut_by(2_000)).on_card(),
    row("plain, without its last 100 bytes", Refused, "cut off", |f| f.bare(&f.sql, "a.sql").cut_by(100)).on_card(),
    row("plain, a flipped byte", Refused, "checksum", |f| f.copy(&f.sql, "a.sql").flipped()).on_card(),
    row("plain, ends with zeros", Refused, "zeros", |f| f.bare(&f.sql, "a.sql").with_zeros(5_000)).on_card(),
    row("plain, zeros after its end", Refused, "zeros", |f| {
        let mut content = fs::read(f.path.join(&f.sql)).unwrap();
        content.extend([0; 512]);
        f.file("a.sql", &content).vouched_for(&f.sql)
    }),
    row("plain, zeros in the middle", Refused, "zero bytes in line", |f| {
        f.bare(&f.sql, "a.sql").overwrite(100_000, &[0; 4096]).vouched_for(&f.sql)
    }),
    row("plain, begins with zeros", Refused, "begins with zeros", |f| f.bare(&f.sql, "a.sql").overwrite(0, &[0; 8192])),
    row("plain, twice in one file", Refused, "", |f| {
        let mut content = fs::read(f.path.join(&f.sql)).unwrap();
        content.extend_from_slice(b"SELECT 1;\n");
        f.file("a.sql", &content)
    }),
    row("plain, a huge hole", Refused, "hole", |f| {
        let lie = f.bare(&f.sql, "a.sql").cut_to(1 << 40);
        let trailer = b"\n-- PostgreSQL database dump complete\n";
        lie.overwrite((1 << 40) - trailer.len() as u64, trailer)
    }),
    row("custom, cut", Refused, "pg_restore", |f| f.bare(&f.dump, "a.dump").halved()).on_card(),
    row("custom, cut, with a manifest", Refused, "its size is", |f| f.copy(&f.dump, "a.dump").halved()).on_card(),
    row("custom, cut before its manifest was made", Refused, "pg_restore", |f| {
        f.bare(&f.dump, "a.dump").halved().vouched_for(&f.dump)
    }),
    row("custom, without its last 100 bytes", Refused, "pg_restore", |f| f.bare(&f.dump, "a.dump").cut_by(100)),
    row("custom, a flipped byte", Refused, "checksum", |f| f.copy(&f.dump, "a.dump").flipped()),
    row("custom, a flipped byte, no manifest", Refused, "pg_restore", |f| f.bare(&f.dump, "a.dump").flipped())
        .on_card(),
    row("custom, ends with zeros", Refused, "pg_restore", |f| f.bare(&f.dump, "a.dump").with_zeros(20_000)).on_card(),
    row("custom, a huge hole", Refused, "hole", |f| f.bare(&f.dump, "a.dump").cut_to(1 << 40)),
    row("custom, a huge hole, vouched for", Refused, "", |f| {
        f.copy(&f.dump, "a.dump").with("size", json!(1_u64 << 40)).cut_to(1 << 40)
    }),
    row("custom, of a newer release", Refused, "newer pg_dump", |f| {
        f.bare(&f.dump, "a.dump").overwrite(6, &[17]).vouched_for(&f.dump)
    })
    .on_card(),
    row("gzip, cut off", Refused, "gunzip", |f| {
        let packed = packed("gzip", &f.path.join(&f.sql));
        f.file("a.sql.gz", &packed[..packed.len() / 2])
    })
    .on_card(),
    row("zstd, cut off", Refused, "unzstd", |f| {
        let packed = packed("zstd", &f.path.join(&f.sql));
        f.file("a.sql.zst", &packed[..packed.len() / 2])
    })
    .on_card(),
    row("gzip under the name of a plain dump", Refused, "gunzip", |f| {
        f.file("a.sql", &packed("gzip", &f.path.join(&f.sql))).vouched_for(&f.sql)
    }),
    row("no dump at all", Refused, "neither a custom nor a plain dump", |f| f.file("a.sql", b"hello\n")),
    row("in tar format", Refused, "tar", |f| f.odd("tar.dump", "a.dump")),
];

/// Whole, but not what is wanted.
pub const FOREIGN: &[Row] = &[
    row("custom, of another database", Refused, "billing", |f| f.odd("billing.dump", "a.dump")).on_card(),
    row("custom, of another database, its manifest says it is ours", Refused, "billing", |f| {
        f.odd("billing.dump", "a.dump").vouched_for(&f.dump)
    }),
    row("plain, of another database", Refused, "none of the tables", |f| f.odd("billing.sql", "a.sql")).on_card(),
    row("plain, of another database, its manifest says it is ours", Refused, "", |f| {
        f.odd("billing.sql", "a.sql").vouched_for(&f.sql)
    }),
    row("of another database, as its manifest says", Refused, "billing", |f| {
        f.copy(&f.sql, "a.sql").with("database", json!("billing"))
    }),
    row("of the whole server", Refused, "pg_dumpall", |f| f.odd("all.sql", "a.sql")),
    row("custom, a critical table is missing", Flagged, "public.trades is missing", |f| {
        f.odd("without-trades.dump", "a.dump")
    }),
    row(
        "custom, a critical table is missing that no other needs",
        Flagged,
        "public.portfolio_positions is missing",
        |f| f.odd("without-positions.dump", "a.dump"),
    )
    .on_card(),
    row("plain, a critical table is missing", Flagged, "public.trades is missing", |f| {
        f.odd("without-trades.sql", "a.sql")
    }),
    row("plain, a critical table is missing, its manifest has it", Refused, "public.trades", |f| {
        f.odd("without-trades.sql", "a.sql").vouched_for(&f.sql)
    }),
    row("custom, a critical table is missing, its manifest has it", Refused, "public.trades", |f| {
        f.odd("without-trades.dump", "a.dump").vouched_for(&f.dump)
    })
    .on_card(),
    row("another table is missing, its manifest has it", Refused, "public.schema_migrations", |f| {
        f.odd("without-migrations.sql", "a.sql").vouched_for(&f.sql)
    }),
    row("no manifest", Flagged, "no manifest", |f| f.bare(&f.dump, "a.dump")).on_card(),
    row("an event trigger that stops everything", RefusedBeside, "stopped by a trigger", |f| {
        f.odd("guarded.dump", "a.dump").of_our_database(&f.dump)
    }),
];

/// Manifests that do not match.
pub const CLAIMS: &[Row] = &[
    row("another size", Refused, "its size is", |f| f.copy(&f.sql, "a.sql").with("size", json!(1))).on_card(),
    row("another checksum", Refused, "checksum", |f| f.copy(&f.sql, "a.sql").with("sha256", json!("0".repeat(64))))
        .on_card(),
    row("no checksum", Refused, "checksum", |f| f.copy(&f.sql, "a.sql").with("sha256", json!("@everyone"))),
    row("other counts", Refused, "rows, and there are", |f| {
        f.copy(&f.sql, "a.sql").with("tables", json!({ "public.trades": 77, "public.portfolio_positions": 5 }))
    })
    .on_card(),
    row("other counts of a custom dump", RefusedBeside, "the backup says", |f| {
        f.copy(&f.dump, "a.dump").with("tables", json!({ "public.trades": 1_900, "public.portfolio_positions": 5 }))
    }),
    row("a table that is not there", Refused, "public.more", |f| {
        f.copy(&f.dump, "a.dump")
            .with("tables", json!({ "public.trades": 2_000, "public.portfolio_positions": 5, "public.more": 1 }))
    }),
    row("far more rows than it can have", Flagged, "rows", |f| {
        f.copy(&f.dump, "a.dump").with("tables", json!({ "public.trades": i64::MAX, "public.accounts": i64::MAX }))
    }),
    row("fewer than no rows", Flagged, "-5 rows", |f| {
        f.copy(&f.dump, "a.dump").with("tables", json!({ "public.trades": -5, "public.portfolio_positions": 5 }))
    }),
    row("another format", Refused, "custom", |f| f.copy(&f.sql, "a.sql").with("format", json!("custom"))),
    row("another file", Flagged, "of another file", |f| {
        f.copy(&f.sql, "a.sql").with("file", json!("b\n@everyone.sql"))
    }),
    row("made in the future", Flagged, "yet to come", |f| {
        f.copy(&f.dump, "a.dump").with("created_at", json!("2999-01-01T00:00:00Z"))
    })
    .on_card(),
    row("data newer than the backup", Flagged, "newer than the backup", |f| {
        f.copy(&f.dump, "a.dump")
            .with("newest", json!({ "table": "public.trades", "column": "created_at", "at": "2999-01-01T00:00:00Z" }))
    }),
    row("no JSON", Flagged, "cannot be read", |f| {
        let lie = f.copy(&f.sql, "a.sql");
        fs::write(lie.manifest(), "{ \"file\": ").unwrap();
        lie
    })
    .on_card(),
    row("huge", Flagged, "larger than any", |f| {
        let lie = f.copy(&f.sql, "a.sql");
        fs::write(lie.manifest(), " ".repeat(3 << 20)).unwrap();
        lie
    }),
    row("nested without end", Flagged, "cannot be read", |f| {
        let lie = f.copy(&f.sql, "a.sql");
        fs::write(lie.manifest(), "[".repeat(500_000)).unwrap();
        lie
    }),
    row("other types", Flagged, "cannot be read", |f| f.copy(&f.sql, "a.sql").with("size", json!({ "a": [1] }))),
    row("a manifest that is a link", Flagged, "symbolic link", |f| {
        let lie = f.bare(&f.sql, "a.sql");
        symlink(f.path.join(format!("{}.manifest.json", f.sql)), lie.manifest()).unwrap();
        lie
    }),
];

/// What is no file of the folder, and odd names.
pub const NAMES: &[Row] = &[
    row("a directory", Refused, "directory", |f| {
        let lie = f.nothing("a.dump");
        fs::create_dir(&lie.path).unwrap();
        lie
    })
    .on_card(),
    row("a link to a good backup", Refused, "symbolic link", |f| {
        let lie = f.nothing("a.dump");
        symlink(f.path.join(&f.dump), &lie.path).unwrap();
        lie
    })
    .on_card(),
    row("a link out of the folder", Refused, "symbolic link", |f| {
        let lie = f.nothing("a.sql");
        symlink("/etc/passwd", &lie.path).unwrap();
        lie
    })
    .on_card(),
    row("a link to nothing", Refused, "symbolic link", |f| {
        let lie = f.nothing("a.sql");
        symlink("nowhere", &lie.path).unwrap();
        lie
    }),
    row("a link in the middle of the path", Unknown, "there is no backup", |f| {
        let mut link = f.nothing("linked");
        symlink(&f.path, &link.path).unwrap();
        link.name = format!("linked/{}", f.dump);
        link
    }),
    row("a pipe", Refused, "a pipe", |f| {
        let lie = f.nothing("a.dump");
        nix::unistd::mkfifo(&lie.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        lie
    })
    .on_card(),
    row("a device", Refused, "a device", |f| {
        let lie = f.nothing("a.dump");
        let made = std::process::Command::new("mknod").arg(&lie.path).args(["c", "1", "5"]).status().unwrap();
        assert!(made.success(), "a device is made by root only");
        lie
    }),
    row("a line break in its name", Refused, "control character", |f| f.copy(&f.dump, "a\nb.dump")).on_card(),
    row("a way out in its name", Unknown, "there is no backup", |f| f.nothing("../../etc/passwd")),
    row("spaces, quotes and dollars in its name", Good, "", |f| f.copy(&f.dump, " it's \"odd\"; $(touch x) `é`.dump")),
    row("a name like an option", Good, "", |f| f.copy(&f.dump, "--help.dump")),
    row("a plain one with a name like an option", Good, "", |f| f.copy(&f.sql, "-c DROP.sql")),
    row("a name that calls everyone", Good, "", |f| f.copy(&f.sql, "@everyone.sql")),
];

/// Plain dumps that would do more than make a database.
pub const PROGRAMS: &[Row] = &[
    row("made with -C", Refused, "CREATE DATABASE", |f| f.odd("own.sql", "a.sql")).on_card(),
    row("\\connect", Refused, "\\connect", |f| f.plain_with("a.sql", "\\connect trading_bot_prod\nDROP TABLE trades;")),
    row("\\! at the end of a line", Refused, "\\!", |f| f.plain_with("a.sql", "SET a.b = 1; \\! touch /tmp/x")),
    row("\\i", Refused, "\\i", |f| f.plain_with("a.sql", "  \\i /etc/passwd")),
    row("\\copy", Refused, "\\copy", |f| f.plain_with("a.sql", "\\copy trades from program 'id'")),
    row("COPY … FROM PROGRAM", Refused, "PROGRAM", |f| {
        f.plain_with("a.sql", "COPY public.trades FROM PROGRAM 'id';")
    }),
    row("COPY … TO a file", Refused, "COPY", |f| f.plain_with("a.sql", "COPY public.trades TO '/tmp/x';")),
    row("hidden behind rows in a text", Refused, "\\!", |f| {
        f.plain_with("a.sql", "COMMENT ON TABLE public.trades IS '\nCOPY x FROM stdin;\n';\n\\! id")
    }),
    row("ALTER SYSTEM", Refused, "ALTER SYSTEM", |f| f.plain_with("a.sql", "ALTER SYSTEM SET fsync = off;")),
    row("ALTER DATABASE", Refused, "ALTER DATABASE", |f| {
        f.plain_with("a.sql", "ALTER DATABASE trading_bot_prod SET statement_timeout = 1;")
    }),
    row("DROP DATABASE", Refused, "DROP DATABASE", |f| {
        f.plain_with("a.sql", "COMMIT; DROP DATABASE trading_bot_prod;")
    })
    .on_card(),
    row("DROP ROLE", Refused, "DROP ROLE", |f| f.plain_with("a.sql", "DROP ROLE trading_readonly;")),
    row("a function that is called", Refused, "SELECT pg_reload_conf", |f| {
        f.plain_with("a.sql", "SELECT pg_reload_conf();")
    }),
    row("DO", Refused, "DO", |f| f.plain_with("a.sql", "DO $$ BEGIN PERFORM 1; END $$;")),
    row("an extension, a function with odd text", Good, "", |f| {
        f.plain_with(
            "a.sql",
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;\nCREATE FUNCTION public.f() RETURNS trigger LANGUAGE \
             plpgsql AS $_$ BEGIN\n\\connect x\nEND; $_$;",
        )
    }),
];
