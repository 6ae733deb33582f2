//! The process as the kernel sees it. What a system does not tell is left out.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// In what parts of a second Linux tells programs their CPU time (USER_HZ), on every architecture that this builds for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self` at every scrape.
#[derive(Debug)]
pub(super) struct Process {
    /// Seconds since 1970.
    started: f64,
}

impl Process {
    /// Of a process that starts now.
    pub(super) fn new() -> Process {
        Process { started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()) }
    }
}

impl Collector for Process {
    fn encode(&self, mut out: DescriptorEncoder) -> fmt::Result {
        let mut show = |name, help, unit: Option<Unit>, metric: &dyn EncodeMetric| {
            metric.encode(out.encode_descriptor(name, help, unit.as_ref(), metric.metric_type())?)
        };
        let started = ConstGauge::new(self.started);
        show("process_start_time", "When the server started, in seconds since 1970.", Some(Unit::Seconds), &started)?;
        if let Some(seconds) = cpu_seconds() {
            show("process_cpu", "CPU time that the process has used.", Some(Unit::Seconds), &ConstCounter::new(seconds))?;
        }
        if let Some(bytes) = resident_bytes() {
            show("process_resident_memory", "Memory that the process has in RAM.", Some(Unit::Bytes), &ConstGauge::new(bytes))?;
        }
        if let Some(count) = open_descriptors() {
            show("process_open_descriptors", "Files and sockets that the process has open.", None, &ConstGauge::new(count))?;
        }
        if let Ok((limit, _)) = rlimit::Resource::NOFILE.get() {
            show("process_max_descriptors", "Files and sockets that the process may have open.", None, &ConstGauge::new(limit))?;
        }
        Ok(())
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may hold blanks and brackets; behind it come state, …, utime (the 12th), stime.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"))?;
    Some(kib.trim().parse::<u64>().ok()? * 1024)
}

fn open_descriptors() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them reads the folder.
    u64::try_from(open.saturating_sub(1)).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_a_process_uses() {
        let before = open_descriptors().unwrap();
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        // Other tests open and close files meanwhile.
        assert!(open_descriptors().unwrap().abs_diff(before + 50) < 40);
        drop(files);
        let memory = vec![1_u8; 64 << 20];
        assert!(resident_bytes().unwrap() > 64 << 20, "{}", memory.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        assert!(cpu_seconds().unwrap() > 0.0);
    }
}
