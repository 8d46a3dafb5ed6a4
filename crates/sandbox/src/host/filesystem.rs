//! `wasi:filesystem` over the tree of the run.
//!
//! There are no links and no times: a link is refused as unsupported, and every time is that of the virtual wall clock.
//! Setting a time succeeds and changes nothing, as copying and unpacking programs do it and nobody would see it.

use glassbox_core::limits;
use wasmtime::component::{Resource, ResourceTableError};

use super::Host;
use super::bindings::wasi::filesystem::{preopens, types};
use super::clocks::virtual_wall;
use super::stream::{InputStream, IoError, OutputStream};
use super::tree::{NodeId, Place, ROOT};
use types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};

/// The host's side of a `descriptor`: an open file or directory, which it holds.
#[derive(Debug, Clone, Copy)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Descriptor {
    node: NodeId,
    flags: DescriptorFlags,
}

/// The host's side of a `directory-entry-stream`: how far a directory was listed.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Listing {
    directory: NodeId,
    last: Option<String>,
}

/// Why an operation on a file did not succeed.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub enum FileError {
    /// As the guest is told.
    Code(ErrorCode),
    /// The run ends here.
    Stop(wasmtime::Error),
}

impl From<ErrorCode> for FileError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<wasmtime::Error> for FileError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Stop(error)
    }
}

impl From<ResourceTableError> for FileError {
    fn from(error: ResourceTableError) -> Self {
        Self::Stop(error.into())
    }
}

type FileResult<T> = Result<T, FileError>;

impl Host {
    /// Charges a call with `bytes` in it, and returns the descriptor that it is about.
    fn descriptor(&mut self, descriptor: &Resource<Descriptor>, bytes: usize) -> FileResult<Descriptor> {
        self.work.call(bytes)?;
        Ok(*self.table.get(descriptor)?)
    }

    /// Returns an open file that may be written.
    fn writable(&mut self, descriptor: &Resource<Descriptor>, bytes: usize) -> FileResult<NodeId> {
        let descriptor = self.descriptor(descriptor, bytes)?;
        match self.tree.kind(descriptor.node)? {
            DescriptorType::Directory => Err(ErrorCode::IsDirectory.into()),
            _ if descriptor.flags.contains(DescriptorFlags::WRITE) => Ok(descriptor.node),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    /// Returns an open file that may be read.
    fn readable(&mut self, descriptor: &Resource<Descriptor>, bytes: usize) -> FileResult<NodeId> {
        let descriptor = self.descriptor(descriptor, bytes)?;
        match self.tree.kind(descriptor.node)? {
            DescriptorType::Directory => Err(ErrorCode::IsDirectory.into()),
            _ if descriptor.flags.contains(DescriptorFlags::READ) => Ok(descriptor.node),
            _ => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    /// Finds what a path names, seen from an open directory.
    fn place(&mut self, descriptor: &Resource<Descriptor>, path: &str) -> FileResult<Place> {
        let directory = self.descriptor(descriptor, path.len())?;
        Ok(self.tree.find(directory.node, path)?)
    }

    /// Finds what a path names where something there is to be changed.
    fn place_to_change(&mut self, descriptor: &Resource<Descriptor>, path: &str) -> FileResult<Place> {
        let place = self.place(descriptor, path)?;
        let flags = self.table.get(descriptor)?.flags;
        match flags.contains(DescriptorFlags::MUTATE_DIRECTORY) {
            true => Ok(place),
            false if !self.tree.is_writable() => Err(ErrorCode::ReadOnly.into()),
            false => Err(ErrorCode::NotPermitted.into()),
        }
    }

    /// Gives the guest a descriptor or stream that holds a node.
    fn holding<T: Send + 'static>(&mut self, node: NodeId, resource: T) -> FileResult<Resource<T>> {
        self.tree.hold(node)?;
        Ok(self.push(resource)?)
    }

    fn status(&mut self, node: NodeId) -> FileResult<DescriptorStat> {
        // As many bytes as the record has in memory.
        self.work.bytes(size_of::<DescriptorStat>())?;
        Ok(DescriptorStat {
            type_: self.tree.kind(node)?,
            link_count: 1,
            size: self.tree.size(node),
            data_access_timestamp: Some(virtual_wall()),
            data_modification_timestamp: Some(virtual_wall()),
            status_change_timestamp: Some(virtual_wall()),
        })
    }

    fn hash(&mut self, node: NodeId) -> FileResult<MetadataHashValue> {
        Ok(MetadataHashValue { lower: node, upper: self.tree.changes(node)? })
    }
}

impl preopens::Host for Host {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.work.call(1)?;
        let flags = match self.tree.is_writable() {
            true => DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
            false => DescriptorFlags::READ,
        };
        match self.holding(ROOT, Descriptor { node: ROOT, flags }) {
            Ok(root) => Ok(vec![(root, "/".to_owned())]),
            Err(FileError::Stop(error)) => Err(error),
            Err(FileError::Code(code)) => unreachable!("the root is always there: {code:?}"),
        }
    }
}

impl types::Host for Host {
    fn convert_error_code(&mut self, error: FileError) -> wasmtime::Result<ErrorCode> {
        match error {
            FileError::Code(code) => Ok(code),
            FileError::Stop(error) => Err(error),
        }
    }

    fn filesystem_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        self.work.call(0)?;
        Ok(self.table.get(&error)?.code)
    }
}

impl types::HostDescriptor for Host {
    fn read_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        position: u64,
    ) -> FileResult<Resource<InputStream>> {
        let file = self.readable(&file, 0)?;
        self.holding(file, InputStream::File { file, position })
    }

    fn write_via_stream(
        &mut self,
        file: Resource<Descriptor>,
        position: u64,
    ) -> FileResult<Resource<OutputStream>> {
        let file = self.writable(&file, 0)?;
        self.holding(file, OutputStream::File { file, position })
    }

    fn append_via_stream(&mut self, file: Resource<Descriptor>) -> FileResult<Resource<OutputStream>> {
        let file = self.writable(&file, 0)?;
        self.holding(file, OutputStream::Append { file })
    }

    fn advise(&mut self, file: Resource<Descriptor>, _: u64, _: u64, _: Advice) -> FileResult<()> {
        self.descriptor(&file, 0).map(|_| ())
    }

    fn sync_data(&mut self, file: Resource<Descriptor>) -> FileResult<()> {
        self.descriptor(&file, 0).map(|_| ())
    }

    fn sync(&mut self, file: Resource<Descriptor>) -> FileResult<()> {
        self.descriptor(&file, 0).map(|_| ())
    }

    fn get_flags(&mut self, file: Resource<Descriptor>) -> FileResult<DescriptorFlags> {
        Ok(self.descriptor(&file, 0)?.flags)
    }

    fn get_type(&mut self, file: Resource<Descriptor>) -> FileResult<DescriptorType> {
        let descriptor = self.descriptor(&file, 0)?;
        Ok(self.tree.kind(descriptor.node)?)
    }

    fn set_size(&mut self, file: Resource<Descriptor>, size: u64) -> FileResult<()> {
        let file = self.writable(&file, 0)?;
        self.work.bytes(self.tree.preparation(file, size))?;
        Ok(self.tree.set_size(file, size)?)
    }

    fn set_times(&mut self, file: Resource<Descriptor>, _: NewTimestamp, _: NewTimestamp) -> FileResult<()> {
        self.descriptor(&file, 0).map(|_| ())
    }

    fn read(&mut self, file: Resource<Descriptor>, len: u64, offset: u64) -> FileResult<(Vec<u8>, bool)> {
        let file = self.readable(&file, 0)?;
        let bytes = self.tree.read(file, offset, len.min(limits::HOST_READ_BYTES_MAX as u64))?;
        self.work.bytes(bytes.len())?;
        let is_end = offset.saturating_add(bytes.len() as u64) >= self.tree.size(file);
        Ok((bytes.to_vec(), is_end))
    }

    fn write(&mut self, file: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> FileResult<u64> {
        let file = self.writable(&file, bytes.len())?;
        self.work.bytes(self.tree.preparation(file, offset))?;
        self.tree.write(file, offset, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn read_directory(&mut self, directory: Resource<Descriptor>) -> FileResult<Resource<Listing>> {
        let descriptor = self.descriptor(&directory, 0)?;
        if !self.tree.is_directory(descriptor.node) {
            return Err(ErrorCode::NotDirectory.into());
        }
        self.holding(descriptor.node, Listing { directory: descriptor.node, last: None })
    }

    fn create_directory_at(&mut self, directory: Resource<Descriptor>, path: String) -> FileResult<()> {
        let place = self.place_to_change(&directory, &path)?;
        self.tree.create_directory(&place)?;
        Ok(())
    }

    fn stat(&mut self, file: Resource<Descriptor>) -> FileResult<DescriptorStat> {
        let descriptor = self.descriptor(&file, 0)?;
        self.status(descriptor.node)
    }

    fn stat_at(
        &mut self,
        directory: Resource<Descriptor>,
        _: PathFlags,
        path: String,
    ) -> FileResult<DescriptorStat> {
        let node = self.place(&directory, &path)?.node.ok_or(ErrorCode::NoEntry)?;
        self.status(node)
    }

    fn set_times_at(
        &mut self,
        directory: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> FileResult<()> {
        self.place(&directory, &path)?.node.ok_or(ErrorCode::NoEntry)?;
        Ok(())
    }

    fn link_at(
        &mut self,
        directory: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> FileResult<()> {
        self.place_to_change(&directory, &path)?;
        Err(ErrorCode::Unsupported.into())
    }

    fn open_at(
        &mut self,
        directory: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FileResult<Resource<Descriptor>> {
        let changes = open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
            || flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY);
        let place = self.place(&directory, &path)?;
        let allowed = self.table.get(&directory)?.flags;
        let node = match place.node {
            Some(_) if open.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) => {
                return Err(ErrorCode::Exist.into());
            }
            None if !open.contains(OpenFlags::CREATE) => return Err(ErrorCode::NoEntry.into()),
            _ if changes && !allowed.contains(DescriptorFlags::MUTATE_DIRECTORY) => {
                let code =
                    if self.tree.is_writable() { ErrorCode::NotPermitted } else { ErrorCode::ReadOnly };
                return Err(code.into());
            }
            Some(node) => node,
            None if place.directory || open.contains(OpenFlags::DIRECTORY) => {
                return Err(ErrorCode::Invalid.into());
            }
            None => self.tree.create_file(&place)?,
        };
        if self.tree.is_directory(node) {
            if flags.contains(DescriptorFlags::WRITE) || open.contains(OpenFlags::TRUNCATE) {
                return Err(ErrorCode::IsDirectory.into());
            }
        } else if open.contains(OpenFlags::DIRECTORY) {
            return Err(ErrorCode::NotDirectory.into());
        } else if open.contains(OpenFlags::TRUNCATE) {
            self.tree.set_size(node, 0)?;
        }
        self.holding(node, Descriptor { node, flags })
    }

    fn readlink_at(&mut self, directory: Resource<Descriptor>, path: String) -> FileResult<String> {
        self.place(&directory, &path)?.node.ok_or(ErrorCode::NoEntry)?;
        Err(ErrorCode::Invalid.into())
    }

    fn remove_directory_at(&mut self, directory: Resource<Descriptor>, path: String) -> FileResult<()> {
        let place = self.place_to_change(&directory, &path)?;
        Ok(self.tree.remove(&place, DescriptorType::Directory)?)
    }

    fn rename_at(
        &mut self,
        directory: Resource<Descriptor>,
        path: String,
        new_directory: Resource<Descriptor>,
        new_path: String,
    ) -> FileResult<()> {
        let from = self.place_to_change(&directory, &path)?;
        let to = self.place_to_change(&new_directory, &new_path)?;
        self.work.bytes(self.tree.moving(&from))?;
        Ok(self.tree.rename(&from, &to)?)
    }

    fn symlink_at(&mut self, directory: Resource<Descriptor>, _: String, path: String) -> FileResult<()> {
        self.place_to_change(&directory, &path)?;
        Err(ErrorCode::Unsupported.into())
    }

    fn unlink_file_at(&mut self, directory: Resource<Descriptor>, path: String) -> FileResult<()> {
        let place = self.place_to_change(&directory, &path)?;
        Ok(self.tree.remove(&place, DescriptorType::RegularFile)?)
    }

    fn is_same_object(&mut self, a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool> {
        self.work.call(0)?;
        Ok(self.table.get(&a)?.node == self.table.get(&b)?.node)
    }

    fn metadata_hash(&mut self, file: Resource<Descriptor>) -> FileResult<MetadataHashValue> {
        let descriptor = self.descriptor(&file, size_of::<MetadataHashValue>())?;
        self.hash(descriptor.node)
    }

    fn metadata_hash_at(
        &mut self,
        directory: Resource<Descriptor>,
        _: PathFlags,
        path: String,
    ) -> FileResult<MetadataHashValue> {
        let node = self.place(&directory, &path)?.node.ok_or(ErrorCode::NoEntry)?;
        self.hash(node)
    }

    fn drop(&mut self, file: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        let descriptor = self.delete(file)?;
        self.tree.release(descriptor.node);
        Ok(())
    }
}

impl types::HostDirectoryEntryStream for Host {
    fn read_directory_entry(&mut self, listing: Resource<Listing>) -> FileResult<Option<DirectoryEntry>> {
        self.work.call(0)?;
        let listing = self.table.get_mut(&listing)?;
        let next = self.tree.next_entry(listing.directory, listing.last.as_deref())?;
        let Some((name, type_)) = next else { return Ok(None) };
        self.work.bytes(name.len())?;
        listing.last = Some(name.clone());
        Ok(Some(DirectoryEntry { type_, name }))
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        let listing = self.delete(listing)?;
        self.tree.release(listing.directory);
        Ok(())
    }
}
