//! Steps as people are told of them.

use super::{Route, Step};

/// In a few words, as a dry run prints it.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Login { registry, .. } => {
                write!(f, "log in to {}", registry.server.as_deref().unwrap_or("Docker Hub"))
            }
            Self::Logout { registry } => {
                write!(f, "log out of {}", registry.server.as_deref().unwrap_or("Docker Hub"))
            }
            Self::InstallDocker => f.write_str("install docker"),
            Self::Pull { image, .. } => write!(f, "pull {image}"),
            Self::RelayLayers { at, .. } => write!(f, "hand layers on to the other hosts at {at}"),
            Self::LoadImage { archive } => write!(f, "load the image in {archive}"),
            Self::RemoveImage { image } => write!(f, "remove the image {image}"),
            Self::RemoveUnusedImages { .. } => f.write_str("remove images no container was made from"),
            Self::CreateNetwork { name, .. } => write!(f, "create network {name}"),
            Self::EnsureProxy(_) => f.write_str("start kamal-proxy"),
            Self::ConnectNetwork { network, container, .. } => {
                write!(f, "connect {container} to the network {network}")
            }
            Self::DisconnectNetwork { network, container } => {
                write!(f, "take {container} off the network {network}")
            }
            Self::InitSwarm { address } => write!(f, "start a swarm as its manager at {address}"),
            Self::JoinSwarm { through, address, manager, .. } => {
                let role = if *manager { "a manager" } else { "a worker" };
                write!(f, "join the swarm of {through} as {role} at {address}")
            }
            Self::CreateOverlay { name, encrypted } => {
                let how = if *encrypted { "an encrypted" } else { "a" };
                write!(f, "create {how} network {name} over all hosts")
            }
            Self::DemoteNode { node } => write!(f, "make the manager {node} a worker"),
            Self::LeaveSwarm { last: true } => f.write_str("leave the swarm, which ends with it"),
            Self::LeaveSwarm { last: false } => f.write_str("leave the swarm"),
            Self::RemoveNode { node } => write!(f, "remove the node {node} from the swarm"),
            Self::LabelNode { host, add, remove, .. } => {
                let add = add.iter().map(|label| format!("+{label}"));
                let labels: Vec<String> = add.chain(remove.iter().map(|label| format!("-{label}"))).collect();
                write!(f, "label {host} in the swarm ({})", labels.join(", "))
            }
            Self::DeployService(spec) => write!(
                f,
                "have the service {} be {} of {} (each within {} s), or go back",
                spec.service, spec.replicas, spec.image, spec.timeout
            ),
            Self::RollBackService { service, .. } => write!(f, "have the service {service} go back to what it was"),
            Self::ScaleService { service, replicas, .. } => write!(f, "scale the service {service} to {replicas}"),
            Self::RemoveService { service } => write!(f, "remove the service {service}"),
            Self::StartProxy => f.write_str("start the container kamal-proxy"),
            Self::StopProxy => f.write_str("stop kamal-proxy"),
            Self::RemoveProxy => f.write_str("remove kamal-proxy"),
            Self::RemoveProxyImage => f.write_str("remove the image of kamal-proxy"),
            Self::CheckProxy => f.write_str("check that kamal-proxy serves"),
            Self::RemoveTraefik => f.write_str("remove Traefik"),
            Self::ReplaceProxy(_) => f.write_str("replace kamal-proxy"),
            Self::AcquireLock { .. } => f.write_str("take the deploy lock"),
            Self::RenewLock { .. } => f.write_str("renew the deploy lock"),
            Self::ReleaseLock { .. } => f.write_str("release the deploy lock"),
            Self::WriteEnv { path, secrets } => write!(f, "write {path} ({} secrets, mode 0600)", secrets.len()),
            Self::WriteSecret { path, reader: Some(_), .. } => write!(f, "write {path} (mode 0600)"),
            Self::WriteSecret { path, mode, .. } | Self::WriteFile { path, mode, .. } => {
                write!(f, "write {path} (mode {mode:04o})")
            }
            Self::MakeDirectory { path, .. } => write!(f, "make directory {path}"),
            Self::ChangeMode { path, mode } => write!(f, "change {path} to mode {mode}"),
            Self::ChangeOwner { path, owner } => write!(f, "give {path} to {owner}"),
            Self::Remove { path } => write!(f, "remove {path}"),
            Self::SyncAssets { path, .. } => write!(f, "copy assets {path} out of the image"),
            Self::KeepOnly { directory, keep, .. } => write!(f, "clean {directory}, keeping {keep}"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Start(spec) => write!(f, "start {}", spec.name),
            Self::StartExisting { container, .. } => write!(f, "start {container} again"),
            Self::RunOnce { run, timeout } => {
                let cmd = run.cmd.as_deref().unwrap_or_default();
                write!(f, "run `{cmd}` once in {} (within {timeout} s)", run.image)
            }
            Self::Unpause { container } => write!(f, "unpause {container}"),
            Self::RemoveContainer { container } => write!(f, "remove {container}"),
            Self::RemoveStopped { labels } => {
                let named =
                    |label: &str| labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str());
                write!(
                    f,
                    "remove stopped containers of {}",
                    named("role").or(named("service")).unwrap_or("the service")
                )
            }
            Self::SwitchTraffic(route) => {
                let Route { service, container, deploy_timeout, error_pages, peers, .. } = &**route;
                let pages = if error_pages.is_some() { ", with error pages" } else { "" };
                let all = if route.tasks { "all of " } else { "" };
                write!(f, "switch {service} to {all}{container} when healthy (within {deploy_timeout} s){pages}")?;
                if peers.is_empty() { Ok(()) } else { write!(f, ", beside {} other hosts", peers.len()) }
            }
            Self::AwaitHealthy(route) => {
                let Route { container, deploy_timeout, .. } = &**route;
                write!(f, "wait until {container} is healthy (within {deploy_timeout} s)")
            }
            Self::NoteRollout { rollout, .. } => write!(f, "note the rollout of {rollout}"),
            Self::StartRollout(route) => {
                let Route { service, container, deploy_timeout, .. } = &**route;
                write!(f, "keep {container} beside {service} when healthy (within {deploy_timeout} s)")
            }
            Self::SplitRollout { service, percent } => {
                write!(f, "lead {percent} % of {service} to what is beside it")
            }
            Self::StopRollout { service } => write!(f, "lead all of {service} to its own container"),
            Self::CheckWatch => f.write_str("check that kamal-proxy can watch what it serves"),
            Self::Watch { container, guard, .. } => write!(f, "keep {container} once it answered well {guard}"),
            Self::RemoveRoute { service } => write!(f, "take {service} out of kamal-proxy"),
            Self::StopRoute { service, .. } => write!(f, "put {service} into maintenance"),
            Self::ResumeRoute { service } => write!(f, "take {service} out of maintenance"),
            Self::AwaitReady { container, timeout, .. } => {
                write!(f, "wait until {container} is ready (within {timeout} s)")
            }
            Self::Stop { container, .. } => write!(f, "stop {container}"),
            Self::TagLatest { latest, .. } => write!(f, "tag as {latest}"),
            Self::PruneContainers { retain, .. } => write!(f, "remove stopped containers but the newest {retain}"),
            Self::PruneImages { .. } => f.write_str("remove images no container uses"),
            Self::Audit { text, .. } => write!(f, "note in the audit log: {text}"),
            Self::AwaitGate { role } => write!(f, "hold {role} until the primary role is healthy"),
        }
    }
}
