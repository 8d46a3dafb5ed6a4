//! The files of one run: a tree in memory, bounded, without links and without times.
//!
//! Files that were given stay as they are until they are written to, moved or replaced; what the guest made is its own,
//! takes part in the allowance for its output, and is what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use glassbox_core::limits;

use super::bindings::wasi::filesystem::types::{DescriptorType, ErrorCode};
use super::stream::Allowance;

/// Files by their paths: relative, with `/` between the names.
pub type FileSet = BTreeMap<String, Arc<[u8]>>;

/// Names a file or directory, even while it moves or after it was removed.
pub(super) type NodeId = u64;

/// The directory that all others are in.
pub(super) const ROOT: NodeId = 0;

/// A tree of files and directories.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
    given: Arc<FileSet>,
    writable: bool,
    allowance: Allowance,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// How many descriptors and streams hold it.
    holders: usize,
    /// Whether it has a name. What has neither a name nor a holder is gone.
    named: bool,
    /// How often it was changed.
    changes: u64,
}

#[derive(Debug)]
enum Kind {
    File(Content),
    Directory { entries: BTreeMap<String, NodeId>, depth: usize },
}

#[derive(Debug)]
enum Content {
    Given(Arc<[u8]>),
    Own(Vec<u8>),
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

/// Says why a file of an input or of a release was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {reason}")]
pub struct BadPath {
    path: String,
    reason: &'static str,
}

/// Checks that `files` can be shown to a guest: how many there are, how long their names, how deep their folders.
pub fn check_files(files: &Arc<FileSet>) -> Result<(), BadPath> {
    Tree::new(files.clone()).map(|_| ())
}

impl Tree {
    /// Makes a tree without files that nothing can be written to.
    pub(crate) fn empty() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::directory(0))]),
            next: ROOT + 1,
            given: Arc::default(),
            writable: false,
            allowance: Allowance::new(0),
        }
    }

    /// Makes a tree of `given` files that can be read.
    pub(crate) fn new(given: Arc<FileSet>) -> Result<Self, BadPath> {
        let mut tree = Self::empty();
        for (path, bytes) in &*given {
            let refused =
                |reason| BadPath { path: path.chars().take(limits::QUOTED_CHARS_MAX).collect(), reason };
            tree.give(path, bytes.clone()).map_err(refused)?;
        }
        tree.given = given;
        Ok(tree)
    }

    /// Lets the guest write, as much as `allowance` has.
    pub(crate) fn writable(self, allowance: Allowance) -> Self {
        Self { writable: true, allowance, ..self }
    }

    fn give(&mut self, path: &str, bytes: Arc<[u8]>) -> Result<(), &'static str> {
        let (parents, name) =
            path.rsplit_once('/').map_or((None, path), |(parents, name)| (Some(parents), name));
        let mut parent = ROOT;
        for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
            check_name(part).map_err(|_| "is not a safe relative path")?;
            parent = match self.entry(parent, part) {
                Ok(Some(id)) if self.is_directory(id) => id,
                Ok(Some(_)) => return Err("is inside of another file"),
                _ => self.insert(parent, part, Node::directory(self.depth(parent) + 1)).map_err(too_many)?,
            };
        }
        check_name(name).map_err(|_| "is not a safe relative path")?;
        match self.entry(parent, name) {
            Ok(None) => {
                self.insert(parent, name, Node::file(Content::Given(bytes))).map_err(too_many).map(|_| ())
            }
            _ => Err("stands for a directory too"),
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Returns how many bytes the guest may still make its own.
    pub(super) fn left(&self) -> usize {
        self.allowance.left()
    }

    fn node(&self, id: NodeId) -> Result<&Node, ErrorCode> {
        self.nodes.get(&id).ok_or(ErrorCode::BadDescriptor)
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, ErrorCode> {
        self.nodes.get_mut(&id).ok_or(ErrorCode::BadDescriptor)
    }

    fn entries(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>, ErrorCode> {
        match &self.node(id)?.kind {
            Kind::Directory { entries, .. } => Ok(entries),
            Kind::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    fn entry(&self, directory: NodeId, name: &str) -> Result<Option<NodeId>, ErrorCode> {
        Ok(self.entries(directory)?.get(name).copied())
    }

    fn content(&self, id: NodeId) -> Result<&Content, ErrorCode> {
        match &self.node(id)?.kind {
            Kind::File(content) => Ok(content),
            Kind::Directory { .. } => Err(ErrorCode::IsDirectory),
        }
    }

    fn depth(&self, id: NodeId) -> usize {
        match self.nodes.get(&id).map(|node| &node.kind) {
            Some(Kind::Directory { depth, .. }) => *depth,
            _ => 0,
        }
    }

    pub(super) fn is_directory(&self, id: NodeId) -> bool {
        self.entries(id).is_ok()
    }

    pub(super) fn kind(&self, id: NodeId) -> Result<DescriptorType, ErrorCode> {
        Ok(match self.node(id)?.kind {
            Kind::File(_) => DescriptorType::RegularFile,
            Kind::Directory { .. } => DescriptorType::Directory,
        })
    }

    /// Returns a file's size in bytes, zero for a directory.
    pub(super) fn size(&self, id: NodeId) -> u64 {
        self.content(id).map_or(0, |content| content.bytes().len() as u64)
    }

    /// Returns how often a node was changed.
    pub(super) fn changes(&self, id: NodeId) -> Result<u64, ErrorCode> {
        Ok(self.node(id)?.changes)
    }

    /// Notes that one more descriptor or stream holds a node.
    pub(super) fn hold(&mut self, id: NodeId) -> Result<(), ErrorCode> {
        self.node_mut(id)?.holders += 1;
        Ok(())
    }

    /// Notes that a descriptor or stream is gone.
    pub(super) fn release(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.holders = node.holders.saturating_sub(1);
        }
        self.collect(id);
    }

    /// Forgets a node that nobody can reach any more.
    fn collect(&mut self, id: NodeId) {
        if self.nodes.get(&id).is_some_and(|node| !node.named && node.holders == 0)
            && let Some(Node { kind: Kind::File(Content::Own(bytes)), .. }) = self.nodes.remove(&id)
        {
            self.allowance.give(bytes.len());
        }
    }

    /// Finds what `path` names, seen from a directory, or where it would be.
    pub(super) fn find(&self, directory: NodeId, path: &str) -> Result<Place, ErrorCode> {
        if path.starts_with('/') {
            return Err(ErrorCode::NotPermitted);
        }
        self.entries(directory)?;
        let mut parents = Vec::new();
        let mut place =
            Place { parent: directory, name: String::new(), node: Some(directory), directory: false };
        for part in path.split('/') {
            if part.is_empty() || part == "." {
                continue;
            }
            let here = place.node.ok_or(ErrorCode::NoEntry)?;
            if part == ".." {
                if !self.is_directory(here) {
                    return Err(ErrorCode::NotDirectory);
                }
                // Nothing leads out of the directory that the guest was given.
                let (node, name) = parents.pop().ok_or(ErrorCode::NotPermitted)?;
                let parent = parents.last().map_or(directory, |(id, _)| *id);
                place = Place { parent, name, node: Some(node), directory: false };
                continue;
            }
            check_name(part)?;
            let node = self.entry(here, part)?;
            parents.push((here, std::mem::replace(&mut place.name, part.to_owned())));
            place = Place { parent: here, node, ..place };
        }
        if path.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        place.directory = path.ends_with('/') || path.ends_with("/.") || path == "." || path.ends_with("..");
        match place.node {
            Some(node) if place.directory && !self.is_directory(node) => Err(ErrorCode::NotDirectory),
            _ => Ok(place),
        }
    }

    /// Returns the entry of a directory whose name comes after `name`: names are in the order of their bytes.
    pub(super) fn next_entry(
        &self,
        directory: NodeId,
        name: Option<&str>,
    ) -> Result<Option<(String, DescriptorType)>, ErrorCode> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = name.map_or(Unbounded, Excluded);
        let next = self.entries(directory)?.range::<str, _>((from, Unbounded)).next();
        next.map(|(name, id)| Ok((name.clone(), self.kind(*id)?))).transpose()
    }

    /// Returns what a file holds from `offset` on, at most `len` bytes.
    pub(super) fn read(&self, file: NodeId, offset: u64, len: u64) -> Result<&[u8], ErrorCode> {
        let bytes = self.content(file)?.bytes();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        Ok(&rest[..rest.len().min(usize::try_from(len).unwrap_or(usize::MAX))])
    }

    /// Returns how many bytes the host must make or copy before a write that starts at `offset`.
    pub(super) fn preparation(&self, file: NodeId, offset: u64) -> usize {
        let size = self.size(file);
        let copied = match self.content(file) {
            Ok(Content::Given(bytes)) => bytes.len(),
            _ => 0,
        };
        // What does not fit is refused before it is made.
        let gap = usize::try_from(offset.saturating_sub(size)).unwrap_or(usize::MAX);
        copied.saturating_add(gap.min(self.allowance.left()))
    }

    /// Writes all of `bytes` at `offset`, filling a gap with zeros, or nothing of them and fails.
    pub(super) fn write(&mut self, file: NodeId, offset: u64, bytes: &[u8]) -> Result<(), ErrorCode> {
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(bytes.len()));
        let end = end.ok_or(ErrorCode::FileTooLarge)?;
        let size = self.size(file) as usize;
        let own = self.own(file, end.max(size))?;
        let start = end - bytes.len();
        own[start..end].copy_from_slice(bytes);
        Ok(())
    }

    /// Cuts a file, or fills it up with zeros.
    pub(super) fn set_size(&mut self, file: NodeId, size: u64) -> Result<(), ErrorCode> {
        let size = usize::try_from(size).map_err(|_| ErrorCode::FileTooLarge)?;
        self.own(file, size).map(|_| ())
    }

    /// Makes a file the guest's own and `size` bytes large, if that is allowed.
    fn own(&mut self, file: NodeId, size: usize) -> Result<&mut [u8], ErrorCode> {
        if !self.writable {
            return Err(ErrorCode::ReadOnly);
        }
        let allowance = self.allowance.clone();
        let node = self.node_mut(file)?;
        let Kind::File(content) = &mut node.kind else {
            return Err(ErrorCode::IsDirectory);
        };
        let counted = match content {
            Content::Given(_) => 0,
            Content::Own(bytes) => bytes.len(),
        };
        if !allowance.take(size.saturating_sub(counted)) {
            return Err(ErrorCode::InsufficientSpace);
        }
        allowance.give(counted.saturating_sub(size));
        node.changes += 1;
        if let Content::Given(bytes) = content {
            *content = Content::Own(bytes[..bytes.len().min(size)].to_vec());
        }
        match content {
            Content::Given(_) => unreachable!("it was made the guest's own"),
            Content::Own(bytes) => {
                bytes.resize(size, 0);
                // What was given back must not stay allocated; seldom, as every copy costs.
                if bytes.capacity() / 4 > bytes.len() {
                    bytes.shrink_to_fit();
                }
                Ok(bytes)
            }
        }
    }

    /// Makes an empty file.
    pub(super) fn create_file(&mut self, place: &Place) -> Result<NodeId, ErrorCode> {
        self.create(place, Node::file(Content::Own(Vec::new())))
    }

    /// Makes an empty directory.
    pub(super) fn create_directory(&mut self, place: &Place) -> Result<NodeId, ErrorCode> {
        self.create(place, Node::directory(self.depth(place.parent) + 1))
    }

    fn create(&mut self, place: &Place, node: Node) -> Result<NodeId, ErrorCode> {
        match place.node {
            _ if !self.writable => Err(ErrorCode::ReadOnly),
            Some(_) => Err(ErrorCode::Exist),
            None => self.insert(place.parent, &place.name, node),
        }
    }

    fn insert(&mut self, parent: NodeId, name: &str, node: Node) -> Result<NodeId, ErrorCode> {
        if self.nodes.len() >= limits::TREE_NODES_MAX {
            return Err(ErrorCode::Quota);
        }
        if matches!(node.kind, Kind::Directory { depth, .. } if depth > limits::TREE_DEPTH_MAX) {
            return Err(ErrorCode::NameTooLong);
        }
        // A directory that was removed while it was open takes nothing any more.
        if !self.node(parent)?.named {
            return Err(ErrorCode::NoEntry);
        }
        let id = self.next;
        self.name(parent, name, id)?;
        self.next += 1;
        self.nodes.insert(id, node);
        Ok(id)
    }

    fn name(&mut self, parent: NodeId, name: &str, id: NodeId) -> Result<(), ErrorCode> {
        let parent = self.node_mut(parent)?;
        parent.changes += 1;
        match &mut parent.kind {
            Kind::Directory { entries, .. } => {
                entries.insert(name.to_owned(), id);
                Ok(())
            }
            Kind::File(_) => Err(ErrorCode::NotDirectory),
        }
    }

    /// Takes a file's or an empty directory's name away; `kind` is what it must be.
    pub(super) fn remove(&mut self, place: &Place, kind: DescriptorType) -> Result<(), ErrorCode> {
        let id = place.node.ok_or(ErrorCode::NoEntry)?;
        match (self.kind(id)?, kind) {
            _ if !self.writable => return Err(ErrorCode::ReadOnly),
            (DescriptorType::Directory, DescriptorType::RegularFile) => return Err(ErrorCode::IsDirectory),
            (DescriptorType::RegularFile, DescriptorType::Directory) => return Err(ErrorCode::NotDirectory),
            (DescriptorType::Directory, _) if !self.entries(id)?.is_empty() => {
                return Err(ErrorCode::NotEmpty);
            }
            // The root, and a directory seen from itself.
            _ if place.name.is_empty() => return Err(ErrorCode::Busy),
            _ => {}
        }
        self.unname(place)?;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.named = false;
        }
        self.collect(id);
        Ok(())
    }

    fn unname(&mut self, place: &Place) -> Result<(), ErrorCode> {
        let parent = self.node_mut(place.parent)?;
        parent.changes += 1;
        if let Kind::Directory { entries, .. } = &mut parent.kind {
            entries.remove(&place.name);
        }
        Ok(())
    }

    /// Moves a file or directory; what has the new name already is replaced where that is allowed.
    ///
    /// What is moved becomes the guest's own, as it comes out under its new name.
    pub(super) fn rename(&mut self, from: &Place, to: &Place) -> Result<(), ErrorCode> {
        let id = from.node.ok_or(ErrorCode::NoEntry)?;
        if !self.writable {
            return Err(ErrorCode::ReadOnly);
        }
        if from.name.is_empty() || to.name.is_empty() {
            return Err(ErrorCode::Busy);
        }
        if to.node == Some(id) {
            return Ok(());
        }
        let mut moved = Vec::new();
        self.walk(id, &mut |id| moved.push(id));
        if moved.contains(&to.parent) {
            return Err(ErrorCode::Invalid);
        }
        if !self.node(to.parent)?.named {
            return Err(ErrorCode::NoEntry);
        }
        let kind = self.kind(id)?;
        if kind != DescriptorType::Directory && to.directory {
            return Err(ErrorCode::NotDirectory);
        }
        // Where it was and where it goes may differ in depth.
        let (old, new) = (self.depth(from.parent), self.depth(to.parent));
        let deepest = moved.iter().map(|id| self.depth(*id)).max().unwrap_or_default();
        if kind == DescriptorType::Directory && deepest - old + new > limits::TREE_DEPTH_MAX {
            return Err(ErrorCode::NameTooLong);
        }
        let given: Vec<_> =
            moved.iter().copied().filter(|id| matches!(self.content(*id), Ok(Content::Given(_)))).collect();
        let bytes = given.iter().map(|id| self.size(*id) as usize).fold(0, usize::saturating_add);
        if bytes > self.allowance.left() {
            return Err(ErrorCode::InsufficientSpace);
        }
        if to.node.is_some() {
            self.remove(to, kind)?;
        }
        for id in given {
            self.own(id, self.size(id) as usize)?;
        }
        for id in moved {
            if let Kind::Directory { depth, .. } = &mut self.node_mut(id)?.kind {
                *depth = *depth - old + new;
            }
        }
        self.unname(from)?;
        self.name(to.parent, &to.name, id)
    }

    /// Returns how many bytes the host copies to move what is at a place.
    pub(super) fn moving(&self, place: &Place) -> usize {
        let mut bytes = 0_usize;
        if let Some(id) = place.node {
            self.walk(id, &mut |id| {
                bytes = bytes.saturating_add(size_of::<Node>()).saturating_add(self.preparation(id, 0))
            });
        }
        bytes
    }

    /// Visits a node and all that is in it. The depth is bounded, and so is this recursion.
    fn walk(&self, id: NodeId, visit: &mut impl FnMut(NodeId)) {
        visit(id);
        if let Ok(entries) = self.entries(id) {
            entries.values().for_each(|id| self.walk(*id, visit));
        }
    }

    /// Returns the files that are new or changed, in the order of their paths, or `None` where they have more than
    /// `bytes_max` bytes with their paths.
    pub(crate) fn changed(&mut self, bytes_max: usize) -> Option<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        let mut left = bytes_max;
        self.gather(ROOT, "", &mut left, &mut files)?;
        files.sort();
        Some(files)
    }

    fn gather(
        &self,
        directory: NodeId,
        path: &str,
        left: &mut usize,
        files: &mut Vec<(String, Vec<u8>)>,
    ) -> Option<()> {
        for (name, id) in self.entries(directory).ok()? {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match self.nodes.get(id).map(|node| &node.kind) {
                Some(Kind::Directory { .. }) => self.gather(*id, &path, left, files)?,
                Some(Kind::File(Content::Own(bytes)))
                    if self.given.get(&path).is_none_or(|given| **given != **bytes) =>
                {
                    *left = left.checked_sub(path.len().checked_add(bytes.len())?)?;
                    files.push((path, bytes.clone()));
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// What a path leads to: a directory, a name in it, and what has that name now.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) parent: NodeId,
    /// Empty where the path leads to where it started.
    pub(super) name: String,
    pub(super) node: Option<NodeId>,
    /// Whether the path can only mean a directory.
    pub(super) directory: bool,
}

impl Node {
    fn new(kind: Kind) -> Self {
        Self { kind, holders: 0, named: true, changes: 0 }
    }

    fn file(content: Content) -> Self {
        Self::new(Kind::File(content))
    }

    fn directory(depth: usize) -> Self {
        Self::new(Kind::Directory { entries: BTreeMap::new(), depth })
    }
}

fn check_name(name: &str) -> Result<(), ErrorCode> {
    if name.len() > limits::TREE_NAME_BYTES_MAX {
        return Err(ErrorCode::NameTooLong);
    }
    let safe = !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    if safe { Ok(()) } else { Err(ErrorCode::Invalid) }
}

fn too_many(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Quota => "is one of too many files",
        _ => "is too deep",
    }
}
