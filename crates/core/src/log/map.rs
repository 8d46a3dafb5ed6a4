//! The map: a tree over all that the log speaks about, whose root stands in each checkpoint.
//!
//! The log proves what was said, and the map that nothing newer was: it has one place for each thing that entries are
//! about, found by the SHA-256 of its name, and there the digest of its [`Standing`](super::Standing). It is a binary
//! tree over the bits of that hash, the highest first. A part of it with nothing in it is [`EMPTY`], one with a single
//! leaf is that leaf, and any other hashes its two halves. Nothing ever leaves it.
//!
//! Only arithmetic is here; where nodes are kept is for [`Nodes`] to say.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::LogError;
use crate::Digest;

/// The hash of a part of the map with nothing in it.
pub const EMPTY: Digest = Digest::from_bytes([0; 32]);

/// The bits of a key, and so the depth below which there is nothing.
const KEY_BITS: u16 = 256;

/// One place of the map: the hash of a name, and the digest of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// The SHA-256 of the name.
    pub key: Digest,
    /// The digest of the standing.
    pub value: Digest,
}

/// A node that is kept: one that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// The only leaf below here.
    Leaf(Leaf),
    /// Two halves, at least two leaves.
    Inner {
        /// The hash of the half whose next bit is 0.
        left: Digest,
        /// The hash of the half whose next bit is 1.
        right: Digest,
    },
}

/// Where a node is: the bits that the keys below it share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    depth: u16,
    /// The bits after `depth` are 0.
    prefix: [u8; 32],
}

/// Where the nodes of a map are kept.
pub trait Nodes {
    /// Why a node cannot be read.
    type Error;

    /// Returns the node at `position`, or `None` where there is nothing.
    fn node(&self, position: Position) -> Result<Option<Node>, Self::Error>;
}

/// What becomes of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Its root.
    pub root: Digest,
    /// The nodes to write, each in place of what was there.
    pub nodes: Vec<(Position, Node)>,
}

/// Proves what stands at one key of a map, or that nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapProof {
    /// The hashes beside the way from the root down.
    pub siblings: Vec<Digest>,
    /// The leaf at the end of the way, where it is another's: so there is none for this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Leaf>,
}

impl Leaf {
    /// The prefixes differ from those of the log's own tree, so that no hash of the one is a hash of the other.
    fn hash(&self) -> Digest {
        Digest::of_parts(&[&[2], self.key.as_bytes(), self.value.as_bytes()])
    }
}

fn inner_hash(left: Digest, right: Digest) -> Digest {
    Digest::of_parts(&[&[3], left.as_bytes(), right.as_bytes()])
}

impl Node {
    /// Returns the hash of all that is below it.
    pub fn hash(&self) -> Digest {
        match self {
            Self::Leaf(leaf) => leaf.hash(),
            Self::Inner { left, right } => inner_hash(*left, *right),
        }
    }

    /// Returns its bytes, to be kept.
    pub fn to_bytes(&self) -> [u8; 65] {
        let (kind, first, second) = match self {
            Self::Leaf(leaf) => (2, leaf.key, leaf.value),
            Self::Inner { left, right } => (3, *left, *right),
        };
        let mut bytes = [kind; 65];
        bytes[1..33].copy_from_slice(first.as_bytes());
        bytes[33..].copy_from_slice(second.as_bytes());
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [kind, rest @ ..] = <&[u8; 65]>::try_from(bytes).ok()?;
        let (first, second) = rest.split_first_chunk()?;
        let (first, second) = (Digest::from_bytes(*first), Digest::from_bytes(second.try_into().ok()?));
        match kind {
            2 => Some(Self::Leaf(Leaf { key: first, value: second })),
            3 => Some(Self::Inner { left: first, right: second }),
            _ => None,
        }
    }
}

impl Position {
    const ROOT: Self = Self { depth: 0, prefix: [0; 32] };

    /// Returns the position as bytes, to be kept under: the depth, and the bits that there are.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = usize::from(self.depth.div_ceil(8));
        [&self.depth.to_be_bytes(), &self.prefix[..length]].concat()
    }

    fn halves(&self) -> [Self; 2] {
        let left = Self { depth: self.depth + 1, ..*self };
        let mut right = left;
        right.prefix[usize::from(self.depth / 8)] |= 0x80 >> (self.depth % 8);
        [left, right]
    }
}

/// Tells which half a key is in, of a node at `depth`.
fn bit(key: &Digest, depth: u16) -> bool {
    key.as_bytes()[usize::from(depth / 8)] & (0x80 >> (depth % 8)) != 0
}

/// Puts values at keys, in place of what stood there. Only nodes on the way to them are read and written.
pub fn update<N: Nodes>(nodes: &N, changes: &BTreeMap<Digest, Digest>) -> Result<Update, N::Error> {
    let leaves: Vec<Leaf> = changes.iter().map(|(key, value)| Leaf { key: *key, value: *value }).collect();
    let mut written = Vec::new();
    let root = match nodes.node(Position::ROOT)? {
        Some(node) => change(nodes, Position::ROOT, node, &leaves, &mut written)?,
        None => build(Position::ROOT, &leaves, &mut written),
    };
    Ok(Update { root, nodes: written })
}

/// Changes what is below a node. `leaves` are sorted by key. Returns the new hash.
fn change<N: Nodes>(
    nodes: &N,
    position: Position,
    node: Node,
    leaves: &[Leaf],
    written: &mut Vec<(Position, Node)>,
) -> Result<Digest, N::Error> {
    if leaves.is_empty() {
        return Ok(node.hash());
    }
    let node = match node {
        Node::Leaf(old) => {
            return Ok(match leaves.binary_search_by_key(&old.key, |leaf| leaf.key) {
                Ok(_) => build(position, leaves, written),
                Err(place) => {
                    let leaves = [&leaves[..place], &[old], &leaves[place..]].concat();
                    build(position, &leaves, written)
                }
            });
        }
        Node::Inner { left, right } => {
            let middle = leaves.partition_point(|leaf| !bit(&leaf.key, position.depth));
            let mut half = |position: Position, hash: Digest, leaves: &[Leaf]| match leaves {
                [] => Ok(hash),
                leaves => match nodes.node(position)? {
                    Some(node) => change(nodes, position, node, leaves, written),
                    None => Ok(build(position, leaves, written)),
                },
            };
            let [at_left, at_right] = position.halves();
            let left = half(at_left, left, &leaves[..middle])?;
            Node::Inner { left, right: half(at_right, right, &leaves[middle..])? }
        }
    };
    written.push((position, node));
    Ok(node.hash())
}

/// Builds what is below a position where nothing was. `leaves` are sorted by key, no two of the same.
fn build(position: Position, leaves: &[Leaf], written: &mut Vec<(Position, Node)>) -> Digest {
    let node = match leaves {
        [] => return EMPTY,
        [leaf] => Node::Leaf(*leaf),
        leaves => {
            let middle = leaves.partition_point(|leaf| !bit(&leaf.key, position.depth));
            let [at_left, at_right] = position.halves();
            Node::Inner {
                left: build(at_left, &leaves[..middle], written),
                right: build(at_right, &leaves[middle..], written),
            }
        }
    };
    written.push((position, node));
    node.hash()
}

/// Proves what stands at `key`, or that nothing does.
pub fn prove<N: Nodes>(nodes: &N, key: Digest) -> Result<MapProof, N::Error> {
    let mut siblings = Vec::new();
    let mut position = Position::ROOT;
    loop {
        match nodes.node(position)? {
            Some(Node::Inner { left, right }) if position.depth < KEY_BITS => {
                let right_half = bit(&key, position.depth);
                siblings.push(if right_half { left } else { right });
                position = position.halves()[usize::from(right_half)];
            }
            Some(Node::Leaf(leaf)) if leaf.key != key => {
                return Ok(MapProof { siblings, other: Some(leaf) });
            }
            _ => return Ok(MapProof { siblings, other: None }),
        }
    }
}

impl MapProof {
    /// Checks that `value` stands at `key` of the map with this root, or that nothing does.
    pub fn verify(&self, root: Digest, key: Digest, value: Option<Digest>) -> Result<(), LogError> {
        let depth = u16::try_from(self.siblings.len()).ok().filter(|depth| *depth <= KEY_BITS);
        let depth = depth.ok_or(LogError::Map)?;
        // A half with nothing beside what the way ends at would be no half: the way would have ended above it.
        if self.siblings.last() == Some(&EMPTY) {
            return Err(LogError::Map);
        }
        let end = match (value, &self.other) {
            (Some(value), None) => Leaf { key, value }.hash(),
            (None, None) => EMPTY,
            // It must be where this key would be, and be another's.
            (None, Some(other)) if other.key != key && shared_bits(&other.key, &key) >= depth => other.hash(),
            _ => return Err(LogError::Map),
        };
        let up = self.siblings.iter().zip(0..depth).rev();
        let reached = up.fold(end, |hash, (sibling, depth)| {
            if bit(&key, depth) { inner_hash(*sibling, hash) } else { inner_hash(hash, *sibling) }
        });
        if reached == root { Ok(()) } else { Err(LogError::Map) }
    }
}

/// Returns how many bits two keys begin alike with.
fn shared_bits(a: &Digest, b: &Digest) -> u16 {
    (0..KEY_BITS).find(|depth| bit(a, *depth) != bit(b, *depth)).unwrap_or(KEY_BITS)
}

/// A map in memory, for a monitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryMap(BTreeMap<Position, Node>);

impl Nodes for MemoryMap {
    type Error = Infallible;

    fn node(&self, position: Position) -> Result<Option<Node>, Infallible> {
        Ok(self.0.get(&position).copied())
    }
}

impl MemoryMap {
    /// Puts values at keys. Returns the root.
    pub fn update(&mut self, changes: &BTreeMap<Digest, Digest>) -> Digest {
        let Ok(Update { root, nodes }) = update(self, changes);
        self.0.extend(nodes);
        root
    }
}
