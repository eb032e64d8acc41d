use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of bytes per direction that a predicate sees, so that it finds a pattern that spans
/// two reads.
const WINDOW: usize = 64 * 1024;

type Predicate = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// A request that the server carries out, but whose answer the client does not get.
pub struct LostReply {
    when: Predicate,
    answered: Predicate,
    times: usize,
}

impl LostReply {
    /// `when` gets the last 64 KiB that the client sent on its connection, after each read, and
    /// returns whether they contain the request. They are forwarded; the connection is cut when the
    /// server has answered.
    pub fn when(when: impl FnMut(&[u8]) -> bool + Send + 'static) -> Self {
        Self { when: Box::new(when), answered: Box::new(|reply| !reply.is_empty()), times: 1 }
    }

    /// Sets the pattern in the server's bytes after the request that shows that it was carried out.
    /// Default: any bytes.
    #[must_use]
    pub fn answered(mut self, answered: impl FnMut(&[u8]) -> bool + Send + 'static) -> Self {
        self.answered = Box::new(answered);
        self
    }

    /// Sets the number of connections, one after another.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }
}

impl fmt::Debug for LostReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LostReply").field("times", &self.times).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    fault: Mutex<Option<LostReply>>,
    fired: AtomicUsize,
    accepted: AtomicUsize,
    /// Connections are closed immediately.
    down: AtomicBool,
    /// Nothing is forwarded and nothing is closed, like a network that drops all packets.
    silent: AtomicBool,
    delay_us: AtomicU64,
    stopping: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// Forwards TCP connections to a server until a fault is set.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl TcpProxy {
    pub fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { target: Mutex::new(Some(target)), ..Shared::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends new connections to another server.
    pub fn retarget(&self, target: SocketAddr) {
        *lock(&self.shared.target) = Some(target);
    }

    pub fn lose_reply(&self, fault: LostReply) {
        *lock(&self.shared.fault) = Some(fault);
    }

    /// The number of lost replies.
    pub fn fired(&self) -> usize {
        self.shared.fired.load(Ordering::SeqCst)
    }

    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Down: all connections are cut, and new ones are closed immediately.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
        if down {
            self.cut();
        }
    }

    /// Silent: nothing is forwarded, nothing is closed. Held bytes are forwarded when the silence
    /// ends.
    pub fn set_silent(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }

    /// Delays each read by this duration before forwarding it.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Cuts the existing connections.
    pub fn cut(&self) {
        for stream in lock(&self.shared.open).drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.cut();
        TcpStream::connect(self.address).ok();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.down.load(Ordering::SeqCst) {
            continue;
        }
        let target = *lock(&shared.target);
        if let Some(Ok(server)) = target.map(TcpStream::connect) {
            Connection::start(&client, &server, shared).ok();
        }
    }
}

/// What to do with bytes that were read.
enum Verdict {
    Forward,
    Swallow,
    Cut,
}

/// The shared state of a connection's two directions.
#[derive(Debug)]
struct Connection {
    shared: Arc<Shared>,
    /// The fault, after the request has passed.
    armed: Mutex<Option<LostReply>>,
}

impl Connection {
    fn start(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut open = lock(&shared.open);
        open.retain(|stream| stream.peer_addr().is_ok());
        open.push(client.try_clone()?);
        open.push(server.try_clone()?);
        drop(open);
        let connection = Arc::new(Self { shared: Arc::clone(shared), armed: Mutex::new(None) });
        let (from, to, requests) = (client.try_clone()?, server.try_clone()?, Arc::clone(&connection));
        thread::spawn(move || requests.forward(&from, &to, |seen, fresh| requests.arm(seen, fresh)));
        let (from, to) = (server.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            connection.forward(&from, &to, |seen, fresh| connection.lose(seen, fresh));
            if let Some(unfired) = lock(&connection.armed).take() {
                *lock(&connection.shared.fault) = Some(unfired);
            }
        });
        Ok(())
    }

    /// Forwards bytes until one side closes or `judge` ends it. `judge` may keep the bytes.
    fn forward(&self, mut from: &TcpStream, mut to: &TcpStream, judge: impl Fn(&mut Vec<u8>, &[u8]) -> Verdict) {
        let mut buffer = vec![0; 16 * 1024];
        let mut seen = Vec::new();
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if !self.hold() {
                break;
            }
            match judge(&mut seen, &buffer[..read]) {
                Verdict::Forward if to.write_all(&buffer[..read]).is_ok() => {}
                Verdict::Swallow => {}
                Verdict::Forward | Verdict::Cut => break,
            }
        }
        from.shutdown(Shutdown::Both).ok();
        to.shutdown(Shutdown::Both).ok();
    }

    /// Waits while the network is slow or silent. `false`: the proxy has ended.
    fn hold(&self) -> bool {
        let delay = self.shared.delay_us.load(Ordering::SeqCst);
        if delay > 0 {
            thread::sleep(Duration::from_micros(delay));
        }
        while self.shared.silent.load(Ordering::SeqCst) && !self.shared.stopping.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        !self.shared.stopping.load(Ordering::SeqCst)
    }

    /// Client to server: always forwards, and looks for the request while a fault can be armed.
    fn arm(&self, seen: &mut Vec<u8>, fresh: &[u8]) -> Verdict {
        let mut fault = lock(&self.shared.fault);
        match fault.as_mut() {
            None => seen.clear(),
            Some(lost) => {
                keep(seen, fresh);
                if (lost.when)(seen) {
                    *lock(&self.armed) = fault.take();
                    seen.clear();
                }
            }
        }
        Verdict::Forward
    }

    /// Server to client: once armed, forwards nothing, and ends the connection when the server has
    /// answered.
    fn lose(&self, seen: &mut Vec<u8>, fresh: &[u8]) -> Verdict {
        let mut armed = lock(&self.armed);
        let Some(fault) = armed.as_mut() else { return Verdict::Forward };
        keep(seen, fresh);
        if !(fault.answered)(seen) {
            return Verdict::Swallow;
        }
        fault.times = fault.times.saturating_sub(1);
        *lock(&self.shared.fault) = armed.take().filter(|fault| fault.times > 0);
        self.shared.fired.fetch_add(1, Ordering::SeqCst);
        Verdict::Cut
    }
}

fn keep(seen: &mut Vec<u8>, fresh: &[u8]) {
    seen.extend_from_slice(fresh);
    seen.drain(..seen.len().saturating_sub(WINDOW));
}
