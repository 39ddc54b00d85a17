//! A container and a network: joined and parted. Done again, either is as good.

use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};

use super::{Engine, change};
use crate::actions::{Context, Done, Failure, Probe};

/// # Errors
/// What the engine says; also when there is no such container or network.
pub async fn connect(
    engine: &Engine,
    container: &str,
    network: &str,
    aliases: &[String],
    context: &Context,
) -> Result<Done, Failure> {
    if is_in(engine, container, network, context).await? {
        return Ok(Done::new(format!("{container} is in the network {network} already")));
    }
    let endpoint = EndpointSettings { aliases: Some(aliases.to_vec()), ..EndpointSettings::default() };
    let request = NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
    let client = engine.client(context).await?;
    change(context, container, client.connect_network(network, request))
        .await?
        .map_err(|error| engine.explain_of(&format!("the network {network} and {container}"), &error))?;
    Ok(Done::new(format!("{container} is in the network {network}")))
}

/// # Errors
/// As of [`connect`].
pub async fn disconnect(engine: &Engine, container: &str, network: &str, context: &Context) -> Result<Done, Failure> {
    if !is_in(engine, container, network, context).await? {
        return Ok(Done::new(format!("{container} is not in the network {network}")));
    }
    let request = NetworkDisconnectRequest { container: container.to_owned(), force: None };
    let client = engine.client(context).await?;
    change(context, container, client.disconnect_network(network, request))
        .await?
        .map_err(|error| engine.explain_of(&format!("the network {network} and {container}"), &error))?;
    Ok(Done::new(format!("{container} is cut off from the network {network}")))
}

/// Whether what was to be (`joined` or not) is so.
pub async fn probe(engine: &Engine, container: &str, network: &str, joined: bool, context: &Context) -> Probe {
    match is_in(engine, container, network, context).await {
        Ok(is_in) if is_in == joined => Probe::Happened(Done::new(format!("{container} had been dealt with"))),
        Ok(_) => Probe::DidNotHappen,
        Err(failure) => Probe::CannotTell(failure.to_string()),
    }
}

async fn is_in(engine: &Engine, container: &str, network: &str, context: &Context) -> Result<bool, Failure> {
    let found = engine.inspect(container, context).await?;
    let found = found.ok_or_else(|| Failure::failed(format!("there is no container {container}")))?;
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    // By its name or its id, as the engine takes either.
    Ok(networks.iter().any(|(name, endpoint)| name == network || endpoint.network_id.as_deref() == Some(network)))
}
