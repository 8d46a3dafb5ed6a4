//! Messages over a pipe: two lengths, a head in JSON, a body of bytes.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest head, in bytes. It holds a function's type, which has at most
/// [`WORLD_TYPE_NODES_MAX`](glassbox_core::limits::WORLD_TYPE_NODES_MAX) parts of some 200 bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Writes a message.
pub(super) fn write(to: &mut impl Write, head: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length =
        |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| io::Error::other("too long for a frame"));
    // In one piece, so that who reads wakes once.
    to.write_all(
        &[&length(&head)?.to_le_bytes(), &length(body)?.to_le_bytes(), head.as_slice(), body].concat(),
    )?;
    to.flush()
}

/// Reads the head of a message, and how many bytes of body follow it.
pub(super) fn read_head<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<(T, usize)> {
    let mut lengths = [[0; 4]; 2];
    for length in &mut lengths {
        from.read_exact(length)?;
    }
    let [head_bytes, body_bytes] = lengths.map(|length| u32::from_le_bytes(length) as usize);
    if head_bytes > HEAD_BYTES_MAX {
        return Err(io::Error::other("the head of a message is too long"));
    }
    let head = serde_json::from_slice(&read_body(from, head_bytes)?)?;
    Ok((head, body_bytes))
}

/// Reads the body of a message. What is announced and does not come costs no memory.
pub(super) fn read_body(from: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    from.take(bytes as u64).read_to_end(&mut body)?;
    match body.len() == bytes {
        true => Ok(body),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &["head"], b"body").expect("written");
        let mut from = bytes.as_slice();
        let (head, body_bytes) = read_head::<Vec<String>>(&mut from).expect("a head");
        assert_eq!(
            (head, read_body(&mut from, body_bytes).expect("a body")),
            (vec!["head".into()], b"body".to_vec())
        );
        for cut in 0..bytes.len() {
            let mut from = &bytes[..cut];
            let read = read_head::<Vec<String>>(&mut from).and_then(|(_, bytes)| read_body(&mut from, bytes));
            assert!(read.is_err(), "{cut}");
        }
        let endless = [0xff; 64];
        assert!(read_head::<Vec<String>>(&mut endless.as_slice()).is_err());
    }
}
