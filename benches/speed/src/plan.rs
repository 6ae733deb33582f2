//! What is to be measured, and how thoroughly.

use super::Measured;

#[derive(Debug)]
pub struct Plan {
    /// Fewer rounds of less work, to try things out.
    pub quick: bool,
    parts: Vec<String>,
}

impl Plan {
    pub fn read(arguments: &[String], known: &[&str]) -> Measured<Plan> {
        let (options, parts): (Vec<String>, Vec<String>) = arguments.iter().cloned().partition(|argument| argument.starts_with('-'));
        if let Some(option) = options.iter().find(|option| *option != "--quick") {
            return Err(format!("{option} is no option; there is --quick").into());
        }
        if let Some(part) = parts.iter().find(|part| !known.contains(&part.as_str())) {
            return Err(format!("{part} is none of the rows: {}", known.join(", ")).into());
        }
        Ok(Plan { quick: !options.is_empty(), parts })
    }

    pub fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }

    /// Rounds in which the contestants take turns; the median counts.
    pub fn rounds(&self) -> usize {
        if self.quick { 5 } else { 7 }
    }

    /// An amount of work, or a part of it.
    pub fn share(&self, whole: usize) -> usize {
        if self.quick { whole.div_ceil(5) } else { whole }
    }
}
