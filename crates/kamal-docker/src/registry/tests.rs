//! The registry as its clients meet it: over a byte stream, with the requests Docker sends.

mod api;
mod archive;
mod collection;
mod damage;
mod leading;
mod library;
mod manifests;
mod memory;
mod processes;

use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::DuplexStream;

use super::digest::Algorithm;
use super::*;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn sha256(content: &[u8]) -> Digest {
    Algorithm::Sha256.of(content)
}

/// A registry in a folder that goes with it.
fn registry() -> (TempDir, Registry) {
    let folder = TempDir::new().unwrap();
    let registry = Registry::open(folder.path().join("registry")).unwrap();
    (folder, registry)
}

/// The far end of a connection to the registry, as an SSH channel would be.
fn connect(registry: &Registry) -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let registry = registry.clone();
    tokio::spawn(async move { registry.serve_connection(far).await });
    near
}

/// An HTTP client of the registry.
struct Client {
    send: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn of(registry: &Registry) -> Self {
        Self::over(connect(registry)).await
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { send }
    }

    async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> (Response<()>, Bytes) {
        let mut request = Request::builder().method(method).uri(path).header("host", "registry");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
    }

    /// Pushes a blob as Docker does.
    async fn push(&mut self, name: &str, content: impl Into<Bytes>) -> Digest {
        let content = content.into();
        let digest = sha256(&content);
        let (begun, _) = self.call("POST", &format!("/v2/{name}/blobs/uploads/"), &[], "").await;
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let location = header(&begun, "location");
        let (patched, _) = self.call("PATCH", &location, &[], content).await;
        assert_eq!(patched.status(), StatusCode::ACCEPTED);
        let put = format!("{location}?digest={}", digest.to_string().replace(':', "%3A"));
        assert_eq!(self.call("PUT", &put, &[], "").await.0.status(), StatusCode::CREATED);
        digest
    }

    /// Pushes an image of these layers for `amd64` and tells the digest of its manifest.
    async fn push_image(&mut self, name: &str, tag: &str, layers: &[&[u8]]) -> Digest {
        let mut descriptors = Vec::new();
        for layer in layers {
            let digest = self.push(name, layer.to_vec()).await;
            descriptors.push(json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": layer.len(),
            }));
        }
        let diff_ids = layers.iter().map(|layer| sha256(layer)).collect::<Vec<_>>();
        let config = json!({
            "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config_digest = self.push(name, config.to_string()).await;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest, "size": config.to_string().len(),
            },
            "layers": descriptors,
        });
        self.put_manifest(name, tag, OCI_MANIFEST, &manifest).await
    }

    async fn put_manifest(&mut self, name: &str, reference: &str, media_type: &str, manifest: &Value) -> Digest {
        let path = format!("/v2/{name}/manifests/{reference}");
        let (put, body) = self.call("PUT", &path, &[("content-type", media_type)], manifest.to_string()).await;
        assert_eq!(put.status(), StatusCode::CREATED, "{body:?}");
        header(&put, "docker-content-digest").parse().unwrap()
    }

    async fn status(&mut self, method: &str, path: &str) -> u16 {
        self.call(method, path, &[], "").await.0.status().as_u16()
    }
}

fn header<T>(response: &Response<T>, name: &str) -> String {
    let value = response.headers().get(name).unwrap_or_else(|| panic!("no {name}"));
    value.to_str().unwrap().to_owned()
}
