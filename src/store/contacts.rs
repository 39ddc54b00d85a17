//! The contacts table. Whoever changes it tells the channel so, in one transaction.

use std::path::Path;

use anyhow::{Context, Result, bail};
use sqlx::{
    Row, Sqlite, Transaction,
    sqlite::{SqlitePoolOptions, SqliteRow},
};

use super::{Store, lock, micros, notices, options, timestamp};
use crate::{
    clock::Timestamp,
    config::settings::DiscordId,
    contacts::{Address, Contact, Phone, Verified, differences, prefer},
    run::notice::{ContactChange, Notice},
};

impl Store {
    /// Opens the store for its contacts, whether or not a drbot serves from it: these are not part of any run, and SQLite
    /// lets one write after the other.
    ///
    /// # Errors
    /// As [`Store::open`]; also when a drbot of another version serves from it.
    pub async fn open_beside(folder: &Path) -> Result<Self> {
        // Nobody has it: it is opened as a whole, and made where it is missing.
        if !folder.join("lock").exists() || lock(folder).is_ok() {
            return Self::open(folder).await;
        }
        let file = folder.join("drbot.sqlite");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options(&file))
            .await
            .with_context(|| format!("cannot open the store {}", file.display()))?;
        let there: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success").fetch_one(&writer).await?;
        if usize::try_from(there)? != sqlx::migrate!().iter().count() {
            bail!(
                "the drbot that serves from {} is of another version; restart it with this one first",
                folder.display()
            );
        }
        let readers = SqlitePoolOptions::new().max_connections(1).connect_with(options(&file).read_only(true)).await?;
        Ok(Self { writer, readers, folder: folder.to_owned(), lock: None })
    }

    /// All contacts, in the order of their file.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn contacts(&self) -> Result<Vec<Contact>> {
        let rows = sqlx::query(ALL).fetch_all(&self.readers).await.context("the contacts cannot be read")?;
        rows.iter().map(contact).collect()
    }

    /// Puts these contacts in the place of those that are there, all or nothing, and tells nobody: for the contacts of a
    /// rehearsal.
    ///
    /// # Errors
    /// When the store cannot be written; nothing has changed then.
    pub async fn replace_contacts(&self, contacts: &[Contact]) -> Result<()> {
        let mut transaction = self.write().await?;
        put(&mut transaction, contacts).await?;
        transaction.commit().await.context("the contacts could not be stored")
    }

    /// Changes the contacts as they are at this moment, and returns what is different; the channel is told of it, or nothing
    /// has changed. `user` is who it is in Discord.
    ///
    /// # Errors
    /// When the store cannot be written; what `change` refuses is in the inner result. Nothing has changed then.
    pub async fn change_contacts<E: Send>(
        &self,
        by: &str,
        user: Option<DiscordId>,
        at: Timestamp,
        change: impl FnOnce(&[Contact]) -> Result<Vec<Contact>, E> + Send,
    ) -> Result<Result<Vec<ContactChange>, E>> {
        let mut transaction = self.write().await?;
        let rows = sqlx::query(ALL).fetch_all(&mut *transaction).await.context("the contacts cannot be read")?;
        let old = rows.iter().map(contact).collect::<Result<Vec<_>>>()?;
        let new = match change(&old) {
            Ok(new) => new,
            Err(refused) => return Ok(Err(refused)),
        };
        let changes = differences::between(&old, &new);
        put(&mut transaction, &new).await?;
        if !changes.is_empty() {
            let notice = Notice::ContactsChanged { by: by.to_owned(), user, changes: changes.clone() };
            notices::keep(&mut transaction, &notice, at).await?;
        }
        transaction.commit().await.context("the contacts could not be stored")?;
        Ok(Ok(changes))
    }
}

const ALL: &str =
    "SELECT role, name, discord, phone, phone_2, emergency, prefers, verified_at, verified_by FROM contacts
     ORDER BY position";

fn contact(row: &SqliteRow) -> Result<Contact> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let at = row.try_get::<Option<i64>, _>("verified_at")?.map(timestamp).transpose()?;
    let by = text("verified_by")?.unwrap_or_default();
    let prefers = prefer::parse(&text("prefers")?.unwrap_or_default());
    Ok(Contact {
        role: row.try_get("role")?,
        name: row.try_get("name")?,
        discord: text("discord")?.map(|id| id.parse().map(DiscordId)).transpose()?,
        primary: text("phone")?.map(Phone),
        secondary: text("phone_2")?.map(Phone),
        emergency: text("emergency")?.map(Address),
        // Written by a drbot that knew other ways: nobody is left uncalled for that.
        prefers: prefers.unwrap_or_default(),
        verified: at.map(|at| Verified { at, by }),
    })
}

async fn put(transaction: &mut Transaction<'static, Sqlite>, contacts: &[Contact]) -> Result<()> {
    sqlx::query("DELETE FROM contacts").execute(&mut **transaction).await?;
    for (position, contact) in contacts.iter().enumerate() {
        let prefers = (!contact.prefers.is_empty()).then(|| prefer::print(&contact.prefers));
        sqlx::query(
            "INSERT INTO contacts
                 (position, role, name, discord, phone, phone_2, emergency, prefers, verified_at, verified_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(i64::try_from(position)?)
        .bind(&contact.role)
        .bind(&contact.name)
        .bind(contact.discord.map(|id| id.to_string()))
        .bind(contact.primary.as_ref().map(|phone| phone.0.clone()))
        .bind(contact.secondary.as_ref().map(|phone| phone.0.clone()))
        .bind(contact.emergency.as_ref().map(|address| address.0.clone()))
        .bind(prefers)
        .bind(contact.verified.as_ref().map(|verified| micros(verified.at)))
        .bind(contact.verified.as_ref().map(|verified| verified.by.clone()))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
