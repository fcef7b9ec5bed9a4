//! One order of one certificate, from the account to the chain (RFC 8555, 7.4).

use std::io;
use std::time::Duration;

use instant_acme::{AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus, RetryPolicy};

use super::account;
use super::authority::Authority;
use super::challenges::Challenges;
use super::outbound::Outbound;

/// How long an authority may take to look, and again to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120)).backoff(1.5);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error(transparent)]
    Acme(#[from] instant_acme::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Other(String),
}

/// Gets a certificate for one name: its key and chain, as PEM.
pub(super) async fn order(
    authority: &Authority,
    name: &str,
    challenges: &Challenges,
    outbound: &Outbound,
) -> Result<String, OrderError> {
    let account = account::open(authority, outbound).await?;
    let mut failures = Vec::new();
    for kind in kinds(authority) {
        let mut order = account.new_order(&NewOrder::new(&[Identifier::Dns(name.to_owned())])).await?;
        match prove(&mut order, authority, &kind, challenges).await {
            Ok(()) => {
                let key = order.finalize().await?;
                return Ok(key + &order.poll_certificate(&PATIENCE).await?);
            }
            Err(error) => failures.push(format!("{}: {error}", called(&kind))),
        }
    }
    Err(OrderError::Other(failures.join("; ")))
}

/// The ways to prove a name, in the order they are tried (spec 8.11).
fn kinds(authority: &Authority) -> Vec<ChallengeType> {
    if authority.dns_hook.is_some() {
        vec![ChallengeType::Dns01]
    } else {
        vec![ChallengeType::TlsAlpn01, ChallengeType::Http01]
    }
}

const fn called(kind: &ChallengeType) -> &'static str {
    match kind {
        ChallengeType::TlsAlpn01 => "tls-alpn-01",
        ChallengeType::Http01 => "http-01",
        _ => "dns-01",
    }
}

/// Shows the authority that the names are ours.
async fn prove(
    order: &mut Order,
    authority: &Authority,
    kind: &ChallengeType,
    challenges: &Challenges,
) -> Result<(), OrderError> {
    let mut answers = Vec::new();
    let answered = answer(order, authority, kind, challenges, &mut answers).await;
    let proven = match answered {
        Ok(()) => order.poll_ready(&PATIENCE).await.map_err(OrderError::from),
        Err(error) => Err(error),
    };
    for answer in answers {
        challenges.withdraw(authority, answer).await?;
    }
    match proven? {
        OrderStatus::Ready | OrderStatus::Valid | OrderStatus::Processing => Ok(()),
        _ => Err(OrderError::Other(complaint(order, kind).await)),
    }
}

async fn answer(
    order: &mut Order,
    authority: &Authority,
    kind: &ChallengeType,
    challenges: &Challenges,
    answers: &mut Vec<super::challenges::Answer>,
) -> Result<(), OrderError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let missing = || OrderError::Other("the authority does not offer it".into());
        let mut challenge = authorization.challenge(kind.clone()).ok_or_else(missing)?;
        let name = match challenge.identifier().identifier {
            Identifier::Dns(name) => name.clone(),
            other => return Err(OrderError::Other(format!("{other:?} is not a name"))),
        };
        let (token, key) = (challenge.token.clone(), challenge.key_authorization());
        answers.push(challenges.begin(authority, kind, &name, &token, &key).await?);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// What the authority did not like.
async fn complaint(order: &mut Order, kind: &ChallengeType) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let error =
            state.challenges.iter().filter(|challenge| challenge.r#type == *kind).find_map(|it| it.error.as_ref());
        if let Some(error) = error {
            return error.to_string();
        }
    }
    "the authority refused the order".into()
}
