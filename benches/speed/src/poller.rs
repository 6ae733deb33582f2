//! A subscriber by long-poll: asks, gets an answer, asks again.

use super::Measured;
use super::crowd::Ear;
use super::http::Head;
use super::reader::Reader;

/// Makes the next request from the number that was seen last, and the head of the last response: empty before the first.
pub type Polls = Box<dyn Fn(u64, &str) -> String + Send>;

pub struct Poller {
    polls: Polls,
    last: u64,
    reader: Reader,
    /// The response, as far as it has come.
    response: Vec<u8>,
}

impl Poller {
    pub fn new(polls: Polls, head: u64) -> Poller {
        Poller { polls, last: head, reader: Reader::new(head + 1), response: Vec::new() }
    }

    pub fn next_request(&self, head: &str) -> String {
        (self.polls)(self.last, head)
    }
}

impl Ear for Poller {
    fn hear(&mut self, piece: &[u8], each: &mut dyn FnMut(u64)) -> Measured<Option<Vec<u8>>> {
        self.response.extend_from_slice(piece);
        let Some(head) = Head::read(&self.response)? else { return Ok(None) };
        if self.response.len() < head.whole {
            return Ok(None);
        }
        if head.status != 200 {
            return Err(format!("a poll was answered {}", head.status).into());
        }
        let last = &mut self.last;
        self.reader.take(&self.response[head.end..head.whole], |number| {
            *last = number;
            each(number);
        })?;
        let request = self.next_request(&head.text);
        self.response.drain(..head.whole);
        Ok(Some(request.into_bytes()))
    }
}
