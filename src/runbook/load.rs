//! Reads the files of `commands/`. The only part of `runbook` that touches the disk.
//!
//! What must stay true: whatever lies in the folder, reading ends with texts or with problems that name the file.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    decode::decode,
    definition::Command,
    document::Document,
    prepare::{prepare, stand_in},
    problem::Problem,
};

/// Larger than any file that a person edits.
const LARGEST_FILE: u64 = 1024 * 1024;

/// More than Discord takes commands in a guild, and each of these is read.
const MOST_FILES: usize = 1000;

/// A file of commands, as it lies on the disk.
#[derive(Debug, Clone)]
pub struct CommandFile {
    pub path: PathBuf,
    /// The command's name: the file's, without `.toml`.
    pub name: String,
    pub text: String,
}

/// The text of a file that an operator edits. `shown` is how problems name it.
///
/// # Errors
/// When it cannot be read, is too large, or is no text.
pub fn read_text(path: &Path, shown: &Path) -> Result<String, Problem> {
    let wrong = |error: std::io::Error| Problem::of_file(shown, format!("cannot be read: {error}"));
    let metadata = fs::metadata(path).map_err(wrong)?;
    if !metadata.is_file() {
        return Err(Problem::of_file(shown, "this is not a file"));
    }
    let mut bytes = Vec::new();
    // Not by its size: it may grow while it is read.
    fs::File::open(path).map_err(wrong)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Problem::of_file(shown, "larger than 1 MiB; no such file is that large"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        Problem::at(shown, &good, good.len(), "this is not UTF-8 text").with_help("save the file as UTF-8")
    })
}

/// Reads every `*.toml` of a folder, in the order of the names. Other files, and hidden ones, are left alone.
pub fn read_commands(directory: &Path, shown: &Path) -> (Vec<CommandFile>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut paths: Vec<PathBuf> = match fs::read_dir(directory) {
        Ok(entries) => {
            entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_command(path)).collect()
        }
        Err(error) => {
            let problem = Problem::of_file(shown, format!("the folder of commands cannot be read: {error}"));
            return (Vec::new(), vec![problem]);
        }
    };
    paths.sort();
    if paths.len() > MOST_FILES {
        problems.push(Problem::of_file(shown, format!("{} files; at most {MOST_FILES} are read", paths.len())));
        paths.truncate(MOST_FILES);
    }
    let mut files = Vec::new();
    for path in paths {
        let Some(name) = path.file_name() else { continue };
        let shown = shown.join(name);
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            problems.push(Problem::of_file(&shown, "the name of the file is not UTF-8 text"));
            continue;
        };
        match read_text(&path, &shown) {
            Ok(text) => files.push(CommandFile { path: shown, name: stem.to_owned(), text }),
            Err(problem) => problems.push(problem),
        }
    }
    (files, problems)
}

fn is_command(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// Decodes one file. The document is for finding places in it afterwards.
pub fn decode_command(file: &CommandFile) -> (Document<'_>, Option<Command>, Vec<Problem>) {
    let (mut document, mut problems) = Document::parse(&file.path, &file.text);
    problems.extend(prepare(&mut document));
    let (command, more) = decode::<Command>(&mut document, &stand_in);
    problems.extend(more);
    let command = command.map(|command| Command { name: file.name.clone(), ..command });
    (document, command, problems)
}
