//! Reading again what services name on disk: certificates, error pages, users. Nothing else changes, and no request
//! notices.

use super::{CommandError, Router};
use crate::server::routes::Routes;
use crate::server::service::{Assets, Service};

impl Router {
    /// Reads all files again. A service whose files cannot be used keeps what it has; the error names the first.
    pub(crate) async fn reload(&self) -> Result<(), CommandError> {
        let _changing = self.change().await?;
        let mut failed = None;
        let services: Vec<Service> = self
            .routes()
            .services()
            .map(|service| {
                let mut service = Service::clone(service);
                match Assets::load(&service.name, &service.options, &self.surroundings.variables, &self.log) {
                    Ok(assets) => service.assets = assets,
                    Err(error) => {
                        let about = [("service", service.name.as_str().into()), ("error", error.to_string().into())];
                        self.log.error("Failed to reload service", &about);
                        failed.get_or_insert(CommandError::Reload { service: service.name.clone(), error });
                    }
                }
                service
            })
            .collect();
        self.set(Routes::new(services));
        self.log.info("Reloaded", &[]);
        failed.map_or(Ok(()), Err)
    }
}
