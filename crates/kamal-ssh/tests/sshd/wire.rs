//! A server that says whatever a test wants it to: the least of SSH that a client agrees to, with every message after
//! that made by hand. No server's own software would send what a hostile one can.

use std::{future::Future, time::Duration};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const BANNER: &[u8] = b"SSH-2.0-hostile";

/// A connection whose every message is made by hand.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    /// Keys and counters of both directions, once there are any.
    keys: Option<(Half, Half)>,
}

struct Half {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Half {
    fn nonce(&mut self) -> Nonce {
        let nonce = self.nonce;
        let count = u64::from_be_bytes(nonce[4..].try_into().unwrap()).wrapping_add(1);
        self.nonce[4..].copy_from_slice(&count.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A port where every connection is given to a function.
pub(crate) async fn serve<F, R>(each: F) -> u16
where
    F: Fn(Wire) -> R + Send + 'static,
    R: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(each(Wire { stream, keys: None }));
        }
    });
    port
}

/// A text with its length before it.
pub(crate) fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A number as the protocol writes it.
pub(crate) fn number(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// A message of parts.
pub(crate) fn message(kind: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![kind], parts.concat()].concat()
}

/// A whole number of any size, from its bytes.
fn mpint(bytes: &[u8]) -> Vec<u8> {
    let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let sign = bytes.first().is_some_and(|first| first & 0x80 != 0);
    string([if sign { vec![0] } else { Vec::new() }, bytes].concat())
}

/// Our list of algorithms, one of each.
pub(crate) fn kexinit() -> Vec<u8> {
    let lists = [
        "curve25519-sha256",
        "ssh-ed25519",
        "aes256-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ];
    message(20, &[vec![7; 16], lists.iter().flat_map(string).collect(), vec![0; 5]])
}

impl Wire {
    /// Waits until the other side has hung up.
    pub(crate) async fn hang_on(&mut self) -> Option<()> {
        tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await.ok().map(drop)
    }

    /// Sends bytes as they are.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).await.ok()
    }

    /// Sends a message in a packet.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> Option<()> {
        let (block, before) = if self.keys.is_some() { (16, 1) } else { (8, 5) };
        let padding = block + (block - (payload.len() + before + block) % block) % block;
        let mut body = vec![u8::try_from(padding).unwrap()];
        body.extend_from_slice(payload);
        body.resize(body.len() + padding, 0);
        let length = number(u32::try_from(body.len()).unwrap());
        if let Some((seal, _)) = &mut self.keys {
            let nonce = seal.nonce();
            seal.key.seal_in_place_append_tag(nonce, Aad::from(&length), &mut body).unwrap();
        }
        self.raw(&[length, body].concat()).await
    }

    /// The next message; none when the other side has hung up.
    pub(crate) async fn read(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await.ok()?;
        let tag = if self.keys.is_some() { 16 } else { 0 };
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() + tag];
        self.stream.read_exact(&mut body).await.ok()?;
        if let Some((_, open)) = &mut self.keys {
            let nonce = open.nonce();
            open.key.open_in_place(nonce, Aad::from(&length), &mut body).unwrap();
            body.truncate(body.len() - tag);
        }
        let padding = usize::from(body[0]);
        Some(body[1..body.len() - padding].to_vec())
    }

    /// The next message of a kind; others are passed over, but for the question whether we are there.
    pub(crate) async fn wait(&mut self, kind: u8) -> Option<Vec<u8>> {
        loop {
            let payload = self.read().await?;
            match payload[0] {
                found if found == kind => return Some(payload),
                80 => self.send(&[82]).await?,
                _ => {}
            }
        }
    }

    /// Both sides say who they are; what the other said.
    pub(crate) async fn hello(&mut self) -> Option<Vec<u8>> {
        self.raw(&[BANNER, b"\r\n"].concat()).await?;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(self.stream.read_u8().await.ok()?);
        }
        Some(line.trim_ascii_end().to_vec())
    }

    /// All up to the point where messages are encrypted.
    pub(crate) async fn handshake(&mut self) -> Option<()> {
        let theirs = self.hello().await?;
        let ours = kexinit();
        self.send(&ours).await?;
        let init = self.wait(20).await?;
        let client_public = self.wait(30).await?[5..].to_vec();
        let random = SystemRandom::new();
        let private = EphemeralPrivateKey::generate(&X25519, &random).unwrap();
        let public = private.compute_public_key().unwrap();
        let peer = UnparsedPublicKey::new(&X25519, &client_public);
        let secret = agree_ephemeral(private, peer, (), |secret| Ok(mpint(secret))).unwrap();
        let host = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let host_key = [string("ssh-ed25519"), string(host.public_key())].concat();
        let texts: [&[u8]; 7] = [&theirs, BANNER, &init, &ours, &host_key, &client_public, public.as_ref()];
        let hashed = [texts.iter().flat_map(string).collect(), secret.clone()].concat();
        let hash = digest(&SHA256, &hashed).as_ref().to_vec();
        let signature = [string("ssh-ed25519"), string(host.sign(&hash))].concat();
        self.send(&message(31, &[string(host_key), string(public), string(signature)])).await?;
        self.send(&[21]).await?;
        self.wait(21).await?;
        let derive = |letter: u8| digest(&SHA256, &[secret.as_slice(), &hash, &[letter], &hash].concat());
        let half = |nonce: u8, key: u8| Half {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derive(key).as_ref()).unwrap()),
            nonce: derive(nonce).as_ref()[..12].try_into().unwrap(),
        };
        self.keys = Some((half(b'B', b'D'), half(b'A', b'C')));
        Some(())
    }

    /// The handshake, and the first login accepted whatever it is.
    pub(crate) async fn log_in(&mut self) -> Option<()> {
        self.handshake().await?;
        self.ask_for_login().await?;
        self.send(&[52]).await
    }

    /// Reads until the client asks to be let in.
    pub(crate) async fn ask_for_login(&mut self) -> Option<Vec<u8>> {
        self.wait(5).await?;
        self.send(&message(6, &[string("ssh-userauth")])).await?;
        self.wait(50).await
    }

    /// A session the client opens, with its number at the client.
    pub(crate) async fn session(&mut self) -> Option<u32> {
        let open = self.wait(90).await?;
        let kind = 5 + usize::try_from(u32::from_be_bytes(open[1..5].try_into().unwrap())).unwrap();
        let channel = u32::from_be_bytes(open[kind..kind + 4].try_into().unwrap());
        self.send(&message(91, &[number(channel), number(channel), number(1 << 30), number(32768)])).await?;
        Some(channel)
    }

    /// A shell that takes programs.
    pub(crate) async fn shell(&mut self) -> Option<u32> {
        self.log_in().await?;
        let channel = self.session().await?;
        self.wait(98).await?;
        self.send(&message(99, &[number(channel)])).await?;
        Some(channel)
    }

    /// Standard output of a channel.
    pub(crate) async fn print(&mut self, channel: u32, bytes: impl AsRef<[u8]>) -> Option<()> {
        self.send(&message(94, &[number(channel), string(bytes)])).await
    }

    /// What is typed into a channel until a text has come; all of it.
    pub(crate) async fn typed(&mut self, until: &str) -> Option<String> {
        let mut all = String::new();
        while !all.contains(until) {
            let data = self.wait(94).await?;
            all.push_str(&String::from_utf8_lossy(&data[9..]));
        }
        Some(all)
    }
}

/// Far more than any step takes that does not hang.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}: it hangs"))
}
