//! The list of a repository's tags, whole or page by page.
//!
//! OCI distribution specification, "Listing tags".

use hyper::header::LINK;
use hyper::{Response, StatusCode, Uri};
use serde_json::json;

use super::answer::{Body, Refusal, json_body, set};
use super::blocking;
use super::query::{encode, query};
use super::store::Store;

/// `GET /v2/NAME/tags/list`, sorted, with the parameters `n` and `last`.
pub(super) async fn list(store: &Store, name: &str, uri: &Uri) -> Result<Response<Body>, Refusal> {
    let count = query(uri, "n").map(|text| text.parse::<usize>()).transpose().map_err(|_| Refusal::PageInvalid)?;
    let mut tags = {
        let (store, name) = (store.clone(), name.to_owned());
        blocking(move || store.tags(&name)).await?.ok_or(Refusal::NameUnknown)?
    };
    if let Some(last) = query(uri, "last") {
        tags.retain(|tag| *tag > last);
    }
    let cut = count.filter(|count| *count < tags.len());
    if let Some(count) = cut {
        tags.truncate(count);
    }
    let mut response = json_body(StatusCode::OK, &json!({ "name": name, "tags": tags }));
    if let (Some(count), Some(last)) = (cut, tags.last()) {
        set(&mut response, LINK, &format!("</v2/{name}/tags/list?n={count}&last={}>; rel=\"next\"", encode(last)));
    }
    Ok(response)
}
