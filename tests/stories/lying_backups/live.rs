//! Everything of a live server that a backup could spoil, in one text.

use crate::support::range::Range;

/// Every row of every table (in any order), sequences, databases with owner, grants and limits, settings, roles.
const QUERY: &str = r"
SELECT string_agg(line, E'\n' ORDER BY line) FROM (
  SELECT format('table %I.%I ', n.nspname, c.relname) || (xpath('/row/n/text()', query_to_xml(format(
    'SELECT count(*) || '' rows, '' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS n FROM ONLY %I.%I t',
    n.nspname, c.relname), false, true, '')))[1]::text AS line
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  UNION ALL SELECT format('sequence %s %s %s', sequencename, last_value, start_value) FROM pg_sequences
  UNION ALL SELECT format('database %s %s %s %s %s', datname, pg_get_userbyid(datdba), datacl, datconnlimit, datallowconn)
    FROM pg_database
  UNION ALL SELECT format('setting %s %s %s', setdatabase::regclass, setrole::regrole, setconfig) FROM pg_db_role_setting
  UNION ALL SELECT format('role %s %s %s', rolname, rolsuper, rolcanlogin) FROM pg_roles
  UNION ALL SELECT format('file setting %s %s', name, setting) FROM pg_file_settings WHERE sourcefile ~ 'auto.conf$'
  UNION ALL SELECT format('extension %s', extname) FROM pg_extension
  UNION ALL SELECT format('object %s', pg_describe_object('pg_class'::regclass, oid, 0)) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('event trigger %s', evtname) FROM pg_event_trigger
) AS all_of_it";

/// The live database and its server, and what drbot has left of its own.
pub fn look(range: &Range) -> String {
    let filter = format!("label=drbot.project={}", range.project);
    let containers = range.docker(&["ps", "-a", "--filter", &filter, "--format", "container {{.Names}}"]);
    let volumes = range.docker(&["volume", "ls", "--filter", &filter, "--format", "volume {{.Name}}"]);
    let mut files: Vec<_> =
        std::fs::read_dir(&range.backups).unwrap().map(|entry| format!("{:?}", entry.unwrap().file_name())).collect();
    files.sort();
    format!("{}\n{containers}\n{volumes}\n{}", range.sql(QUERY), files.join("\n"))
}

/// The lines of one that the other has not.
pub fn differences<'a>(one: &'a str, other: &'a str) -> Vec<&'a str> {
    let only = |these: &'a str, those: &'a str| {
        these.lines().filter(|line| !those.lines().any(|other| other == *line)).collect::<Vec<_>>()
    };
    [only(one, other), only(other, one)].concat()
}
