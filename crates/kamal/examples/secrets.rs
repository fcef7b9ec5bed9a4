//! Secrets from elsewhere: a vault of the program's own, asked when an operation needs something of it. The engine asks
//! once, before anything is changed, and keeps what it is told out of everything that is shown.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kamal::{
    core::{
        ports::{SecretError, Secrets},
        secret::Secret,
    },
    prelude::*,
};

/// Stands for a client of one's own vault.
#[derive(Debug)]
struct Vault;

#[async_trait]
impl Secrets for Vault {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        // A question to a server; others go on meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        match key {
            "REGISTRY_PASSWORD" | "API_KEY" => Ok(Secret::new(format!("value of {key}"))),
            _ => Err(SecretError::missing(format!("the vault holds no {key}"))),
        }
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        Ok(vec![("API_KEY".to_owned(), self.get("API_KEY").await?)])
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: secrets FOLDER")?;
    let project = Project::builder().folder(folder).secrets(Arc::new(Vault)).build().await?;
    let version = project.version().await?;
    match project.deploy(&version).plan().await {
        Ok(plan) => println!("{plan}"),
        // All that are missing at once, with who needs them.
        Err(error) => println!("{error}"),
    }
    Ok(())
}
