//! The manifests about another one: signatures, bills of material.
//!
//! OCI distribution specification, "Listing referrers". A repository's manifests are few, so they are looked through
//! rather than kept in a list of their own, which could be wrong.

use std::fs;
use std::io;

use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::answer::{Body, Refusal, json_body, set};
use super::blocking;
use super::digest::Digest;
use super::media::{Manifest, OCI_INDEX};
use super::query::query;
use super::store::{Store, if_found};

/// `GET /v2/NAME/referrers/DIGEST`, of one kind with `?artifactType=`.
pub(super) async fn list(store: &Store, name: &str, subject: Digest, uri: &Uri) -> Result<Response<Body>, Refusal> {
    let kind = query(uri, "artifactType");
    let filtered = kind.is_some();
    let manifests = {
        let (store, name) = (store.clone(), name.to_owned());
        blocking(move || find(&store, &name, &subject, kind.as_deref())).await?
    };
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    let mut response = json_body(StatusCode::OK, &index);
    set(&mut response, CONTENT_TYPE, OCI_INDEX);
    if filtered {
        set(&mut response, HeaderName::from_static("oci-filters-applied"), "artifactType");
    }
    Ok(response)
}

fn find(store: &Store, name: &str, subject: &Digest, kind: Option<&str>) -> io::Result<Vec<Value>> {
    let mut found = Vec::new();
    for digest in store.manifest_digests(name)? {
        let Some(media_type) = if_found(fs::read_to_string(store.manifest(name, &digest)))? else { continue };
        let Some(content) = if_found(fs::read(store.blob(&digest)))? else { continue };
        let Ok(manifest) = Manifest::parse(&content) else { continue };
        let own = manifest.kind();
        let about = manifest.subject.as_ref().is_some_and(|named| named.digest == *subject);
        if !about || kind.is_some_and(|kind| own != Some(kind)) {
            continue;
        }
        let mut descriptor = json!({ "mediaType": media_type, "digest": digest, "size": content.len() });
        if let Some(own) = own {
            descriptor["artifactType"] = own.into();
        }
        if let Some(annotations) = &manifest.annotations {
            descriptor["annotations"] = Value::Object(annotations.clone());
        }
        found.push(descriptor);
    }
    found.sort_unstable_by(|one, other| one["digest"].as_str().cmp(&other["digest"].as_str()));
    Ok(found)
}
