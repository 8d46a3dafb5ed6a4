//! `wasi:random`: bytes that follow from the call's input, and real ones where granted.

use glassbox_core::FunctionName;
use glassbox_core::limits;
use sha2::{Digest as _, Sha256};

use super::Host;
use super::bindings::wasi::random::{insecure, insecure_seed, random};
use super::wire::{Bytes, Wire};

const RANDOM: &str = "wasi:random/random";
const INSECURE: &str = "wasi:random/insecure";
const SEED: &str = "wasi:random/insecure-seed";

/// The random bytes of guests that are given no real ones: the same for the same call, others for another.
///
/// The key is the SHA-256 of `glassbox virtual random v1\n`, the length of the function's name in 8 bytes, big endian,
/// that name, and the arguments in the canonical value encoding. Block `n` of the stream is the SHA-256 of the key and
/// `n` in 8 bytes, big endian. All three interfaces draw from one stream.
#[derive(Debug, Default)]
pub(super) struct VirtualRandom {
    key: [u8; 32],
    block: [u8; 32],
    blocks: u64,
    left: usize,
}

impl VirtualRandom {
    /// Makes the stream of a call.
    pub(super) fn new(function: &FunctionName, args: &[u8]) -> Self {
        let function = function.to_string();
        let key = Sha256::new()
            .chain_update("glassbox virtual random v1\n")
            .chain_update((function.len() as u64).to_be_bytes())
            .chain_update(function)
            .chain_update(args);
        Self { key: key.finalize().into(), ..Self::default() }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.left == 0 {
                let block = Sha256::new().chain_update(self.key).chain_update(self.blocks.to_be_bytes());
                self.block = block.finalize().into();
                self.blocks += 1;
                self.left = self.block.len();
            }
            *byte = self.block[self.block.len() - self.left];
            self.left -= 1;
        }
    }

    fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }
}

fn real_u64() -> wasmtime::Result<u64> {
    getrandom::u64().map_err(wasmtime::Error::new)
}

impl Host {
    fn random_bytes(&mut self, interface: &str, function: &str, len: u64) -> wasmtime::Result<Vec<u8>> {
        let count = usize::try_from(len).unwrap_or(usize::MAX);
        self.work.call(count)?;
        if count > limits::HOST_READ_BYTES_MAX {
            wasmtime::bail!(
                "{len} random bytes are more than the {} of one request",
                limits::HOST_READ_BYTES_MAX
            );
        }
        self.work.random(count)?;
        let mut bytes = vec![0; count];
        if !self.observes(interface) {
            self.random.fill(&mut bytes);
            return Ok(bytes);
        }
        let Bytes(bytes) =
            self.observer.observe(&format!("{interface}#{function}"), &len.encode()?, |_| {
                getrandom::fill(&mut bytes).map_err(wasmtime::Error::new)?;
                Ok(Bytes(bytes))
            })?;
        if bytes.len() == count { Ok(bytes) } else { Err(self.observer.impossible(format!("{len} bytes"))) }
    }

    fn random_u64(&mut self, interface: &str, function: &str) -> wasmtime::Result<u64> {
        self.work.call(size_of::<u64>())?;
        self.work.random(size_of::<u64>())?;
        if !self.observes(interface) {
            return Ok(self.random.u64());
        }
        self.observer.observe(&format!("{interface}#{function}"), &[], |_| real_u64())
    }
}

impl random::Host for Host {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(RANDOM, "get-random-bytes", len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64(RANDOM, "get-random-u64")
    }
}

impl insecure::Host for Host {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(INSECURE, "get-insecure-random-bytes", len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.random_u64(INSECURE, "get-insecure-random-u64")
    }
}

impl insecure_seed::Host for Host {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        self.work.call(2 * size_of::<u64>())?;
        self.work.random(2 * size_of::<u64>())?;
        if !self.observes(SEED) {
            return Ok((self.random.u64(), self.random.u64()));
        }
        self.observer.observe(&format!("{SEED}#insecure-seed"), &[], |_| Ok((real_u64()?, real_u64()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_its_description() {
        let name = "run".parse().expect("a name");
        let mut stream = VirtualRandom::new(&name, b"args");
        let mut bytes = [0; 40];
        stream.fill(&mut bytes);
        let key = Sha256::digest(b"glassbox virtual random v1\n\0\0\0\0\0\0\0\x03runargs");
        let block = |n: u8| Sha256::digest([&key[..], &[0, 0, 0, 0, 0, 0, 0, n]].concat());
        assert_eq!(bytes[..32], block(0)[..]);
        assert_eq!(bytes[32..], block(1)[..8]);
        let mut parts = VirtualRandom::new(&name, b"args");
        assert_eq!(parts.u64().to_be_bytes(), bytes[..8]);
        let mut other = VirtualRandom::new(&name, b"arg");
        assert_ne!(other.u64().to_be_bytes(), bytes[..8]);
    }
}
