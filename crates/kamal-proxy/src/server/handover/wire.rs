//! Bytes and file descriptors over a Unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The most file descriptors in one message.
const MOST: usize = 8;

/// Sends a few bytes with file descriptors attached; gives how many bytes went out.
pub(super) fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !attached.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many sockets to hand over"));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut attached, SendFlags::empty())?)
}

/// Receives what [`send`] sent: fills some of the bytes, and gives their number and the file descriptors.
pub(super) fn receive(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut attached, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in attached.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok((received.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_works_at_the_other_end() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut kept, given) = UnixStream::pair().unwrap();
        assert_eq!(send(&here, b"two", &[given.as_fd(), given.as_fd()]).unwrap(), 3);
        drop(given);
        let mut bytes = [0; 8];
        let (length, mut descriptors) = receive(&there, &mut bytes).unwrap();
        assert_eq!((&bytes[..length], descriptors.len()), (&b"two"[..], 2));
        UnixStream::from(descriptors.remove(0)).write_all(b"hello").unwrap();
        drop(descriptors);
        let mut text = String::new();
        kept.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }
}
