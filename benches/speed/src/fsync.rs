//! What a disk takes for being asked to keep something: the floor under every durable answer.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::Measured;

/// Bytes of a line of the log that a small update makes.
pub const LINE: usize = 400;

/// A file that grows line by line.
#[derive(Debug)]
pub struct Disk(File);

impl Disk {
    pub fn new(folder: &Path) -> Measured<Disk> {
        Ok(Disk(File::options().create(true).append(true).open(folder.join("bare.log"))?))
    }

    /// Appends a line; gives the microseconds until it was durable.
    pub fn append(&mut self) -> Measured<f64> {
        let started = Instant::now();
        self.0.write_all(&[b'x'; LINE])?;
        self.0.sync_data()?;
        Ok(started.elapsed().as_nanos() as f64 / 1e3)
    }
}
