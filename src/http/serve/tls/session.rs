//! One TLS session, which keeps bytes only while they are on their way.
//!
//! rustls would keep them too, but it never gives back the room for what may come, and that is most of what a quiet reader would cost.
//! So records are read and sealed in buffers of our own, which are gone as soon as they are empty.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::meet::limits::{TLS_GATHERED_BYTES, TLS_INCOMING_MAX_BYTES, TLS_READ_BYTES, TLS_SEALED_BYTES};

pub(in crate::http::serve) struct Session {
    tls: UnbufferedServerConnection,
    /// What has come of a record, or of a message in several, that is not whole yet.
    incoming: BytesMut,
    /// What whole ones said, until somebody reads it.
    heard: BytesMut,
    /// Records that the socket has not taken yet.
    outgoing: BytesMut,
    /// Whether the other end has said that nothing follows.
    has_ended: bool,
    /// Whether something came that is not TLS, or not by the other end. Nothing can be said from then on.
    is_broken: bool,
}

/// What is said once something may be.
#[derive(Clone, Copy)]
enum Word<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// That nothing follows.
    Close,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Session> {
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Session {
            tls,
            incoming: BytesMut::new(),
            heard: BytesMut::new(),
            outgoing: BytesMut::new(),
            has_ended: false,
            is_broken: false,
        })
    }

    pub(in crate::http::serve) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Whether both ends have agreed to speak this.
    pub(in crate::http::serve) fn speaks(&self, protocol: &[u8]) -> bool {
        self.tls.alpn_protocol() == Some(protocol)
    }

    /// Takes in what has come on a socket. There may be something to send afterwards, after a failure too.
    pub(in crate::http::serve) fn hear(&mut self, socket: &TcpStream) -> io::Result<()> {
        self.incoming.reserve(TLS_READ_BYTES);
        match socket.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => self.process(Word::Nothing),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                free(&mut self.incoming);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives what was heard, as far as there is room; tells whether that is something, if only that nothing will come.
    pub(in crate::http::serve) fn tell(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.heard.is_empty() {
            return self.has_ended;
        }
        let length = self.heard.len().min(buffer.remaining());
        buffer.put_slice(&self.heard[..length]);
        take(&mut self.heard, length);
        true
    }

    /// Forgets what was heard.
    pub(in crate::http::serve) fn forget(&mut self) {
        self.heard = BytesMut::new();
    }

    /// Makes records of these pieces, as far as a socket may have them ahead; tells how many bytes that is. Small pieces share a record,
    /// for each record has its price; large ones are not copied to share one.
    pub(in crate::http::serve) fn seal_pieces(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if pieces.len() > 1 && length <= TLS_GATHERED_BYTES {
            let mut gathered = Vec::with_capacity(length);
            pieces.iter().for_each(|piece| gathered.extend_from_slice(piece));
            return self.process(Word::Bytes(&gathered)).map(|()| length);
        }
        let mut sealed = 0;
        for piece in pieces {
            let length = piece.len().min(TLS_SEALED_BYTES - sealed);
            self.process(Word::Bytes(&piece[..length]))?;
            sealed += length;
        }
        Ok(sealed)
    }

    /// Makes a record that says that nothing follows.
    pub(in crate::http::serve) fn close(&mut self) -> io::Result<()> {
        if self.is_broken { Ok(()) } else { self.process(Word::Close) }
    }

    /// Records for the socket.
    pub(in crate::http::serve) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// The socket has taken so many bytes of them.
    pub(in crate::http::serve) fn sent(&mut self, length: usize) {
        self.outgoing.advance(length);
    }

    /// Gives back the room for records, where they have gone out and none is about to follow.
    pub(in crate::http::serve) fn tidy(&mut self) {
        free(&mut self.outgoing);
    }

    /// Looks at all that has come, and says something where that may be done by now.
    fn process(&mut self, word: Word) -> io::Result<()> {
        if self.is_broken {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let processed = self.process_records(word);
        if processed.is_err() {
            self.is_broken = true;
            self.explain();
        }
        if self.incoming.len() > TLS_INCOMING_MAX_BYTES {
            self.is_broken = true;
            return processed.and(Err(io::Error::new(io::ErrorKind::InvalidData, "a handshake message is too long")));
        }
        free(&mut self.incoming);
        processed
    }

    fn process_records(&mut self, word: Word) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut self.incoming);
            let goes_on = match state {
                Ok(ConnectionState::EncodeTlsData(mut record)) => append(&mut self.outgoing, |out| record.encode(out)).map(|()| true),
                // What was encoded goes out before anything that follows.
                Ok(ConnectionState::TransmitTlsData(records)) => {
                    records.done();
                    Ok(true)
                }
                Ok(ConnectionState::ReadTraffic(mut records)) => {
                    while let Some(Ok(record)) = records.next_record() {
                        discard += record.discard;
                        self.heard.extend_from_slice(record.payload);
                    }
                    Ok(true)
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.has_ended = true;
                    Ok(true)
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    append(&mut self.outgoing, |out| word.write(&mut traffic, out)).map(|()| false)
                }
                Ok(_) if matches!(word, Word::Bytes(bytes) if !bytes.is_empty()) => Err(io::ErrorKind::BrokenPipe.into()),
                Ok(_) => Ok(false),
                Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            };
            take(&mut self.incoming, discard);
            if !goes_on? {
                return Ok(());
            }
        }
    }

    /// Says what was wrong, where TLS has a word for it.
    fn explain(&mut self) {
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) = self.tls.process_tls_records(&mut self.incoming).state {
            let _ = append(&mut self.outgoing, |out| alert.encode(out));
        }
    }
}

impl Word<'_> {
    fn write(self, traffic: &mut WriteTraffic<'_, ServerConnectionData>, out: &mut [u8]) -> Result<usize, EncryptError> {
        match self {
            Word::Nothing => Ok(0),
            Word::Bytes(bytes) => traffic.encrypt(bytes, out),
            Word::Close => traffic.queue_close_notify(out),
        }
    }
}

/// Why something was not written.
enum Lack {
    /// It needs so much room.
    Room(usize),
    Other(&'static str),
}

impl From<EncodeError> for Lack {
    fn from(error: EncodeError) -> Lack {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => Lack::Room(required_size),
            EncodeError::AlreadyEncoded => Lack::Other("a record was encoded twice"),
        }
    }
}

impl From<EncryptError> for Lack {
    fn from(error: EncryptError) -> Lack {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Lack::Room(required_size),
            EncryptError::EncryptExhausted => Lack::Other("the keys of a session are used up"),
        }
    }
}

/// Appends what `write` writes once it has the room that it asks for.
fn append<E: Into<Lack>>(out: &mut BytesMut, mut write: impl FnMut(&mut [u8]) -> Result<usize, E>) -> io::Result<()> {
    let (start, mut room) = (out.len(), 0);
    let lack = loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]).map_err(Into::into) {
            Ok(length) => {
                out.truncate(start + length);
                return Ok(());
            }
            Err(Lack::Room(needed)) if needed > room => room = needed,
            Err(Lack::Room(_)) => break "a record has no end",
            Err(Lack::Other(lack)) => break lack,
        }
    };
    out.truncate(start);
    Err(io::Error::other(lack))
}

/// Takes bytes off the front.
fn take(bytes: &mut BytesMut, length: usize) {
    bytes.advance(length);
    free(bytes);
}

/// Gives the room back where nothing is in it.
fn free(bytes: &mut BytesMut) {
    if bytes.is_empty() {
        *bytes = BytesMut::new();
    }
}
