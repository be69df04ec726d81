//! HTTP/1.1 on one TCP connection, for tests that decide themselves when a connection is opened,
//! kept, slowed or cut. It reads what our server and any proxy before it may answer: a body of a
//! given length, in chunks, or up to the end of the connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest head or chunk line that is read.
const LINE_MAX: usize = 64 * 1024;
/// Longest body that is read.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// A reply, whole.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// The body as text, damaged parts replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server keeps the connection open after this reply.
    pub fn keeps_open(&self) -> bool {
        !self
            .header("connection")
            .is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }
}

/// One connection; requests go one after another.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    received: Vec<u8>,
}

impl Connection {
    /// Connects; every later read and write ends with an error after `patience`.
    pub fn open(server: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            host: server.to_string(),
            received: Vec::new(),
        })
    }

    /// Sends a request with a body and reads the reply.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let head = self.head(method, path, headers, body.len());
        self.write(&head)?;
        // a server that refuses by the head alone may answer and close before it has the body
        let sent = self.write(body);
        let response = self.response();
        if response.is_ok() {
            response
        } else {
            sent.and(response)
        }
    }

    /// The head of a request whose body has `length` bytes, for tests that send it in pieces.
    pub fn head(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        length: usize,
    ) -> Vec<u8> {
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}content-length: {length}\r\n\r\n",
            self.host,
            lines.concat(),
        )
        .into_bytes()
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads one reply; interim replies (100) are passed over.
    pub fn response(&mut self) -> io::Result<Response> {
        loop {
            let (status, headers) = self.read_head()?;
            let mut response = Response {
                status,
                headers,
                body: Vec::new(),
            };
            if status / 100 == 1 {
                continue;
            }
            response.body = self.read_body(&response)?;
            return Ok(response);
        }
    }

    /// Reads until the server closes; what came before that.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.received))
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let status_line = self.read_line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| malformed(&format!("status line {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| malformed(&format!("header {line:?}")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn read_body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        if response
            .header("transfer-encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
        {
            return self.read_chunks();
        }
        match response.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| malformed("content-length"))?;
                self.read_exact(length)
            }
            None if response.status == 204 || response.status == 304 => Ok(Vec::new()),
            None => self.read_to_close(),
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default();
            let size =
                usize::from_str_radix(size.trim(), 16).map_err(|_| malformed("chunk size"))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            if body.len() + size > BODY_MAX {
                return Err(malformed("a body that is too long"));
            }
            body.extend_from_slice(&self.read_exact(size)?);
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| malformed("a line that is no UTF-8"));
            }
            if self.received.len() > LINE_MAX {
                return Err(malformed("a line that is too long"));
            }
            self.fill_or_eof()?;
        }
    }

    fn read_exact(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_MAX {
            return Err(malformed("a body that is too long"));
        }
        while self.received.len() < length {
            self.fill_or_eof()?;
        }
        Ok(self.received.drain(..length).collect())
    }

    fn fill_or_eof(&mut self) -> io::Result<()> {
        if self.fill()? {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0_u8; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        self.received.extend(chunk.iter().take(count));
        Ok(count > 0)
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed reply: {what}"))
}
