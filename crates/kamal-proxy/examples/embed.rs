//! Two proxies inside one program, each in front of an app that is replaced while it is asked.
//!
//! `cargo run --package kamal-proxy --features server --example embed`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use kamal_proxy::server::{Address, DeployOptions, Handle, Proxy};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let start = |name: &str| {
        let state = folder.path().join(name);
        Proxy::builder().listen((Ipv4Addr::LOCALHOST, 0)).state(state).start()
    };
    let (first, second) = (start("first.state").await?, start("second.state").await?);

    first.deploy("shop", DeployOptions::to(app("shop, version 1")?)).await?;
    second.deploy("blog", DeployOptions::to(app("blog")?).host("blog.example.com")).await?;
    println!("{} | {}", ask(&first, "shop.example.com")?, ask(&second, "blog.example.com")?);

    // Returns once the new version has passed its health check and the old one has answered what it was asked.
    first.deploy("shop", DeployOptions::to(app("shop, version 2")?)).await?;
    println!("{}", ask(&first, "shop.example.com")?);

    for service in first.list().into_iter().chain(second.list()) {
        println!("{} is {} at {}", service.name, service.state.name(), service.targets.join(", "));
    }
    first.stop().await;
    println!("{}", ask(&second, "blog.example.com")?);
    second.stop().await;
    Ok(())
}

/// An app that answers every request with one text; gives its address.
fn app(text: &'static str) -> Result<Address> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let SocketAddr::V4(address) = listener.local_addr()? else { unreachable!("it is an address of IPv4") };
    thread::spawn(move || {
        for stream in listener.incoming().map_while(io::Result::ok) {
            // Who leaves early does not want the answer.
            thread::spawn(move || answer(stream, text));
        }
    });
    Ok(address.into())
}

fn answer(mut stream: TcpStream, text: &str) -> io::Result<()> {
    // The heads of these requests are short, and they have no bodies.
    let _ = stream.read(&mut [0; 4096])?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
}

/// Asks a proxy for the front page of a host.
fn ask(proxy: &Handle, host: &str) -> Result<String> {
    let address = proxy.addresses().http.ok_or("it listens")?;
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}
