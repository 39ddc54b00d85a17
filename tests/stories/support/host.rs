//! People at the command line of the machine that drbot runs on: each a user of it, as the kernel tells drbot.
//!
//! As root they are users of their own, by number. Without root there is only one user, who becomes one person after the
//! other by the settings.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use nix::unistd::Uid;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use super::{bot::Bot, until};

/// Who is in `[[people]]`: the user's number, the id in Discord, the name, the role.
const PEOPLE: [(u32, u64, &str, &str); 3] = [
    (61_001, drbot::rehearsal::world::DANA, "Dana", "operator"),
    (61_002, drbot::rehearsal::world::OMAR, "Omar", "dba"),
    (61_003, drbot::rehearsal::world::LENA, "Lena", ""),
];

/// A user that nobody knows.
pub const STRANGER: u32 = 61_009;

pub struct Host {
    settings: PathBuf,
    without_people: String,
}

impl Host {
    /// Puts the people into the settings of a folder.
    pub fn of(folder: &Path) -> Self {
        let settings = folder.join("drbot.toml");
        let host = Self { without_people: std::fs::read_to_string(&settings).unwrap(), settings };
        host.knows(&PEOPLE.map(|(uid, ..)| uid));
        host
    }

    fn knows(&self, uids: &[u32; 3]) {
        let mut text = self.without_people.clone();
        for (uid, (_, discord, name, role)) in uids.iter().zip(PEOPLE) {
            let roles = if role.is_empty() { String::new() } else { format!("\"{role}\"") };
            text += &format!(
                "\n[[people]]\nunix = \"{uid}\"\ndiscord = \"{discord}\"\nname = \"{name}\"\nroles = [{roles}]\n"
            );
        }
        std::fs::write(&self.settings, text).unwrap();
    }

    /// The store's folder belongs to somebody, who can be the engine then.
    pub fn stores_of(&self, bot: &Bot, name: &str) {
        std::fs::create_dir_all(&bot.data).unwrap();
        let (uid, ..) = PEOPLE.iter().find(|(_, _, there, _)| *there == name).unwrap();
        if Uid::effective().is_root() {
            std::os::unix::fs::chown(&bot.data, Some(*uid), None).unwrap();
        }
    }

    /// `drbot` with these arguments, given by somebody.
    pub async fn gives(&self, bot: &Bot, name: &str, arguments: &[&str]) -> Output {
        self.types(bot, name, arguments, "").await
    }

    /// With a line typed into it.
    pub async fn types(&self, bot: &Bot, name: &str, arguments: &[&str], typed: &str) -> Output {
        let mut child = self.starts(bot, name, arguments).await;
        child.stdin.take().unwrap().write_all(typed.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(super::LIMIT, child.wait_with_output()).await;
        let Ok(output) = ended else { panic!("drbot {arguments:?} does not end\n{}", bot.log()) };
        output.unwrap()
    }

    /// Given, and left running.
    pub async fn starts(&self, bot: &Bot, name: &str, arguments: &[&str]) -> Child {
        let number = PEOPLE.iter().position(|(_, _, there, _)| *there == name);
        let number = number.unwrap_or_else(|| panic!("{name} is no user of this machine"));
        let uid = if Uid::effective().is_root() {
            PEOPLE[number].0
        } else {
            self.becomes(bot, number).await;
            Uid::effective().as_raw()
        };
        self.spawn(bot, uid, arguments)
    }

    /// Given by a user that the settings do not name.
    pub async fn stranger_gives(&self, bot: &Bot, arguments: &[&str]) -> Output {
        let uid = if Uid::effective().is_root() {
            STRANGER
        } else {
            self.knows(&PEOPLE.map(|(uid, ..)| uid));
            until("the settings without this user", async || (self.me(bot).await.is_none()).then_some(())).await;
            Uid::effective().as_raw()
        };
        self.spawn(bot, uid, arguments).wait_with_output().await.unwrap()
    }

    /// Makes this process's own user that person.
    async fn becomes(&self, bot: &Bot, number: usize) {
        let mut uids = PEOPLE.map(|(uid, ..)| uid);
        uids[number] = Uid::effective().as_raw();
        self.knows(&uids);
        let name = format!("{} (host)", PEOPLE[number].2);
        until("the settings of this person", async || (self.me(bot).await.as_ref() == Some(&name)).then_some(())).await;
    }

    async fn me(&self, bot: &Bot) -> Option<String> {
        let child = self.spawn(bot, Uid::effective().as_raw(), &["status", "--json"]);
        let output = child.wait_with_output().await.unwrap();
        let standing: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(standing["you"].as_str()?.to_owned())
    }

    fn spawn(&self, bot: &Bot, uid: u32, arguments: &[&str]) -> Child {
        let mut command = bot.program();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if Uid::effective().is_root() {
            may_be_entered(bot.data.parent().unwrap());
            as_user(&mut command, uid);
        }
        command.spawn().unwrap()
    }
}

/// With the group of the bot, to which its socket is open.
fn as_user(command: &mut Command, uid: u32) {
    command.uid(uid).gid(nix::unistd::getegid().as_raw());
}

fn may_be_entered(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
