//! The contacts table.

use std::path::Path;

use anyhow::{Context, Result, bail};
use sqlx::{Row, sqlite::SqlitePoolOptions};

use super::{Store, lock, options};
use crate::{
    config::settings::DiscordId,
    contacts::{Address, Contact, Phone},
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
        let rows = sqlx::query("SELECT role, name, discord, phone, phone_2, emergency FROM contacts ORDER BY position")
            .fetch_all(&self.readers)
            .await
            .context("the contacts cannot be read")?;
        let mut contacts = Vec::new();
        for row in rows {
            let text = |column: &str| row.try_get::<Option<String>, _>(column);
            contacts.push(Contact {
                role: row.try_get("role")?,
                name: row.try_get("name")?,
                discord: text("discord")?.map(|id| id.parse().map(DiscordId)).transpose()?,
                primary: text("phone")?.map(Phone),
                secondary: text("phone_2")?.map(Phone),
                emergency: text("emergency")?.map(Address),
            });
        }
        Ok(contacts)
    }

    /// Puts these contacts in the place of those that are there, all or nothing.
    ///
    /// # Errors
    /// When the store cannot be written; nothing has changed then.
    pub async fn replace_contacts(&self, contacts: &[Contact]) -> Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM contacts").execute(&mut *transaction).await?;
        for (position, contact) in contacts.iter().enumerate() {
            sqlx::query(
                "INSERT INTO contacts (position, role, name, discord, phone, phone_2, emergency)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(i64::try_from(position)?)
            .bind(&contact.role)
            .bind(&contact.name)
            .bind(contact.discord.map(|id| id.to_string()))
            .bind(contact.primary.as_ref().map(|phone| phone.0.clone()))
            .bind(contact.secondary.as_ref().map(|phone| phone.0.clone()))
            .bind(contact.emergency.as_ref().map(|address| address.0.clone()))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await.context("the contacts could not be stored")
    }
}
