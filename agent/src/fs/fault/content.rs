//! What one file holds: in the page cache, on the device, and on the way between the two.
//!
//! A sector of the cache that was written since the last sync keeps all of its versions, because
//! writeback may have put any of them on the device; a power cut shows one of them, whole. Length
//! and allocation are metadata with versions of their own. A truncation takes its sectors away in
//! the same step as it changes the length, as a journal does.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use super::CrashMode;
use crate::entropy::Entropy;

/// The unit that a device writes whole (W-15).
pub(super) const SECTOR: usize = 512;
const SECTOR_U64: u64 = SECTOR as u64;

type Sector = Arc<[u8; SECTOR]>;
/// Sectors by number; one that is missing is zeros.
type Sectors = BTreeMap<u64, Sector>;

/// Length and allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extent {
    length: u64,
    /// Bytes from the start that have blocks, written or not.
    allocated: u64,
}

/// What a sector became by one write or truncation.
#[derive(Clone, Debug)]
struct Version {
    sector: Option<Sector>,
    /// It came by the truncation that is this one among the changes of the extent, from 1.
    cut_by: Option<usize>,
}

/// A file's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    cache: Arc<Sectors>,
    extent: Extent,
    device: Arc<Sectors>,
    device_extent: Extent,
    /// Versions since the last sync, oldest first.
    dirty: BTreeMap<u64, Vec<Version>>,
    /// Changes of the extent since the last sync, oldest first.
    extents: Vec<Extent>,
}

impl Content {
    pub(super) fn length(&self) -> u64 {
        self.extent.length
    }

    /// Bytes that it takes from the file system.
    pub(super) fn used(&self) -> u64 {
        let beyond = self
            .cache
            .range(sectors_of(self.extent.allocated)..)
            .count();
        self.extent.allocated + beyond as u64 * SECTOR_U64
    }

    /// Bytes that a write of `length` at `offset` would take in addition.
    pub(super) fn needed(&self, offset: u64, length: u64) -> u64 {
        let first = (offset / SECTOR_U64).max(sectors_of(self.extent.allocated));
        let end = sectors_of(offset + length);
        if first >= end {
            return 0;
        }
        let present = self.cache.range(first..end).count() as u64;
        (end - first - present) * SECTOR_U64
    }

    /// Bytes that an allocation of `length` would take in addition.
    pub(super) fn needed_to_allocate(&self, length: u64) -> u64 {
        let end = sectors_of(length);
        let first = sectors_of(self.extent.allocated);
        if first >= end {
            return 0;
        }
        let present = self.cache.range(first..end).count() as u64;
        (end - first - present) * SECTOR_U64
    }

    pub(super) fn read(&self, into: &mut [u8], offset: u64) -> usize {
        let left = usize::try_from(self.extent.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        let into = into.get_mut(..length).unwrap_or_default();
        let mut position = offset;
        let mut rest = into;
        while !rest.is_empty() {
            let start = within(position);
            let take = rest.len().min(SECTOR - start);
            let (now, later) = rest.split_at_mut(take);
            match self
                .cache
                .get(&(position / SECTOR_U64))
                .and_then(|sector| sector.get(start..start + take))
            {
                Some(bytes) => now.copy_from_slice(bytes),
                None => now.fill(0),
            }
            rest = later;
            position += take as u64;
        }
        length
    }

    /// Writes the first `limit` bytes of `parts`.
    pub(super) fn write(&mut self, parts: &[IoSlice<'_>], limit: usize, offset: u64) {
        if limit == 0 {
            return;
        }
        let mut position = offset;
        let mut bytes = Vec::with_capacity(limit);
        for part in parts {
            let left = limit - bytes.len();
            bytes.extend_from_slice(part.get(..left).unwrap_or(part));
        }
        let mut rest = bytes.as_slice();
        let end = offset + rest.len() as u64;
        let cache = Arc::make_mut(&mut self.cache);
        while position < end {
            let number = position / SECTOR_U64;
            let start = within(position);
            let (now, later) = rest.split_at(rest.len().min(SECTOR - start));
            let mut image = cache.get(&number).map_or([0; SECTOR], |sector| **sector);
            if let Some(to) = image.get_mut(start..start + now.len()) {
                to.copy_from_slice(now);
            }
            rest = later;
            let sector = Arc::new(image);
            cache.insert(number, Arc::clone(&sector));
            self.dirty.entry(number).or_default().push(Version {
                sector: Some(sector),
                cut_by: None,
            });
            position += now.len() as u64;
        }
        if end > self.extent.length {
            self.extent.length = end;
            self.extents.push(self.extent);
        }
    }

    pub(super) fn allocate(&mut self, length: u64) {
        let allocated = sectors_of(length) * SECTOR_U64;
        let wanted = Extent {
            length: self.extent.length.max(length),
            allocated: self.extent.allocated.max(allocated),
        };
        if wanted != self.extent {
            self.extent = wanted;
            self.extents.push(wanted);
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let shorter = length < self.extent.length;
        if length == self.extent.length {
            return;
        }
        self.extent = Extent {
            length,
            allocated: self.extent.allocated.min(sectors_of(length) * SECTOR_U64),
        };
        self.extents.push(self.extent);
        if !shorter {
            return;
        }
        let cut_by = Some(self.extents.len());
        let first_gone = sectors_of(length);
        let tail = length / SECTOR_U64;
        let cache = Arc::make_mut(&mut self.cache);
        if within(length) > 0
            && let Some(sector) = cache.get(&tail)
        {
            let sector = cut(sector, within(length));
            cache.insert(tail, Arc::clone(&sector));
            self.dirty.entry(tail).or_default().push(Version {
                sector: Some(sector),
                cut_by,
            });
        }
        cache.split_off(&first_gone);
        let mut gone: Vec<u64> = self.device.range(first_gone..).map(|(n, _)| *n).collect();
        gone.extend(self.dirty.range(first_gone..).map(|(n, _)| *n));
        for number in gone {
            self.dirty.entry(number).or_default().push(Version {
                sector: None,
                cut_by,
            });
        }
    }

    /// The device has what the cache has since the last sync.
    pub(super) fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        if !dirty.is_empty() {
            let device = Arc::make_mut(&mut self.device);
            for (number, versions) in dirty {
                if let Some(version) = versions.into_iter().last() {
                    put(device, number, version.sector);
                }
            }
        }
        self.device_extent = self.extent;
        self.extents.clear();
    }

    /// A sync that failed: the pages count as clean, the device keeps what it had. The length is
    /// the journal's and stays to be written.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.retain(|_, versions| {
            versions.retain(|version| version.cut_by.is_some());
            !versions.is_empty()
        });
    }

    /// Forgets the clean pages: they are the device's again.
    pub(super) fn drop_cache(&mut self) {
        let mut cache = Arc::clone(&self.device);
        if !self.dirty.is_empty() {
            let overlay = Arc::make_mut(&mut cache);
            for (number, versions) in &self.dirty {
                if let Some(version) = versions.last() {
                    put(overlay, *number, version.sector.clone());
                }
            }
        }
        self.cache = cache;
    }

    /// What the device holds after the power was cut.
    pub(super) fn after_crash(&self, mode: CrashMode, entropy: &Entropy) -> Self {
        if self.dirty.is_empty() && self.extents.is_empty() {
            return Self {
                cache: Arc::clone(&self.device),
                ..self.clone()
            };
        }
        let extent_changes = choose(mode, entropy, 0, self.extents.len());
        let extent = extent_changes
            .checked_sub(1)
            .and_then(|last| self.extents.get(last).copied())
            .unwrap_or(self.device_extent);
        let mut device = Arc::clone(&self.device);
        if !self.dirty.is_empty() {
            let sectors = Arc::make_mut(&mut device);
            for (number, versions) in &self.dirty {
                let kept = choose_version(versions, extent_changes, mode, entropy);
                if let Some(version) = kept {
                    put(sectors, *number, version.sector.clone());
                }
            }
        }
        let first_gone = sectors_of(extent.length);
        let tail = extent.length / SECTOR_U64;
        let beyond = device.range(first_gone..).next().is_some();
        if beyond || within(extent.length) > 0 {
            let sectors = Arc::make_mut(&mut device);
            sectors.split_off(&first_gone);
            if within(extent.length) > 0
                && let Some(sector) = sectors.get(&tail)
            {
                let sector = cut(sector, within(extent.length));
                sectors.insert(tail, sector);
            }
        }
        Self {
            cache: Arc::clone(&device),
            extent,
            device,
            device_extent: extent,
            dirty: BTreeMap::new(),
            extents: Vec::new(),
        }
    }

    /// The same bytes, all of them on the device: what a copy makes.
    pub(super) fn copied(&self) -> Self {
        Self {
            cache: Arc::clone(&self.cache),
            extent: self.extent,
            device: Arc::clone(&self.cache),
            device_extent: self.extent,
            dirty: BTreeMap::new(),
            extents: Vec::new(),
        }
    }

    /// Flips the bits of `mask` in one byte, wherever that byte is kept.
    pub(super) fn corrupt(&mut self, offset: u64, mask: u8) {
        let number = offset / SECTOR_U64;
        let start = within(offset);
        for sectors in [&mut self.cache, &mut self.device] {
            let sectors = Arc::make_mut(sectors);
            let mut image = sectors.get(&number).map_or([0; SECTOR], |sector| **sector);
            if let Some(byte) = image.get_mut(start) {
                *byte ^= mask;
            }
            sectors.insert(number, Arc::new(image));
        }
        for version in self.dirty.get_mut(&number).into_iter().flatten() {
            if let Some(sector) = &mut version.sector
                && let Some(byte) = Arc::make_mut(sector).get_mut(start)
            {
                *byte ^= mask;
            }
        }
    }
}

fn within(offset: u64) -> usize {
    usize::try_from(offset % SECTOR_U64).unwrap_or(0)
}

/// Sectors that `length` bytes take.
fn sectors_of(length: u64) -> u64 {
    length.div_ceil(SECTOR_U64)
}

/// A sector with zeros from `length` on.
fn cut(sector: &Sector, length: usize) -> Sector {
    let mut image = **sector;
    for byte in image.iter_mut().skip(length) {
        *byte = 0;
    }
    Arc::new(image)
}

fn put(sectors: &mut Sectors, number: u64, sector: Option<Sector>) {
    match sector {
        Some(sector) => sectors.insert(number, sector),
        None => sectors.remove(&number),
    };
}

/// One of the versions, or none: what the device had before. A truncation that was kept has taken
/// away what was before it; one that was lost hides what came after it.
fn choose_version<'a>(
    versions: &'a [Version],
    extent_changes: usize,
    mode: CrashMode,
    entropy: &Entropy,
) -> Option<&'a Version> {
    let mut least = 0;
    let mut most = versions.len();
    for (before, version) in versions.iter().enumerate() {
        match version.cut_by {
            Some(change) if change <= extent_changes => least = before + 1,
            Some(_) => {
                most = before;
                break;
            }
            None => {}
        }
    }
    let count = choose(mode, entropy, least, most);
    count.checked_sub(1).and_then(|last| versions.get(last))
}

/// A number from `least` to `most`, both included.
fn choose(mode: CrashMode, entropy: &Entropy, least: usize, most: usize) -> usize {
    match mode {
        CrashMode::LoseAll => least,
        CrashMode::KeepAll => most,
        CrashMode::Random => {
            let drawn = entropy.below((most - least) as u64 + 1);
            least + usize::try_from(drawn).unwrap_or(0)
        }
    }
}
