//! A front over HTTPS before a plain service on loopback: passes requests on, and speaks HTTP/2 to whoever can. It
//! refuses streams, resets them and goes away as it is told; what it does not pass on never reaches the service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{Request, Response};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// A frame of 8 bytes, GOAWAY, on no stream: the last that was begun is stream 0, no error.
const GOAWAY_UNBEGUN: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// How long a connection that goes away waits for its client's end.
const LINGER: Duration = Duration::from_secs(2);

/// What becomes of a request that came over HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// It is passed on and answered.
    Pass,
    /// The stream is refused (REFUSED_STREAM): it was certainly not looked at.
    Refuse,
    /// The stream is reset for another reason.
    Reset(Reason),
    /// The whole connection ends (GOAWAY, then the close), with whatever was begun on it.
    GoAway(Reason),
    /// Likewise, and says of every stream that it was not begun.
    GoAwayUnbegun,
    /// It is answered, and its connection takes no more of them (GOAWAY without an error).
    PassAndGoAway,
}

/// How a request is met, by its path and how often that was asked for before.
type Rule = dyn Fn(&str, usize) -> Conduct + Send + Sync;

/// A running front. It ends when this is dropped.
pub struct Front {
    address: SocketAddr,
    certificate: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _end: oneshot::Sender<()>,
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Path and query; empty over HTTP/1.1, where only the connection is seen.
    pub path: String,
    /// What became of it; None over HTTP/1.1.
    pub met: Option<Conduct>,
}

/// How a connection ends.
enum Ending {
    AfterWhatIsOpen,
    AtOnce(Reason),
    Unbegun,
}

/// One connection in two hands.
struct Wire<S>(Arc<Mutex<S>>);

struct Shared {
    target: SocketAddr,
    client: reqwest::Client,
    rule: Box<Rule>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Front {
    /// Listens on a free port of 127.0.0.1, on a thread of its own, in front of the plain service at `target`. `protocols`
    /// is what it offers (ALPN), the best first.
    pub fn start(
        target: SocketAddr,
        protocols: &[&str],
        rule: impl Fn(&str, usize) -> Conduct + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let named = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let named = named.map_err(io::Error::other)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(named.signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![named.cert.der().clone()], key).map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let plain = reqwest::Client::builder().no_proxy().tls_certs_only([]).http1_only();
        let client = plain.redirect(reqwest::redirect::Policy::none()).build().map_err(io::Error::other)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared { target, client, rule: Box::new(rule), seen: seen.clone() });
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, acceptor, shared) => {}
                    _ = ended => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, certificate: named.cert.pem(), seen, _end: end })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https://localhost:<port>` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port())
    }

    /// Writes its certificate, for SSL_CERT_FILE.
    pub fn write_certificate(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, &self.certificate)
    }

    /// What arrived, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, shared) = (acceptor.clone(), shared.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(tls) = acceptor.accept(stream).await else { return };
            if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
                let _ = over_http2(tls, shared).await;
            } else {
                let _ = over_http1(tls, &shared).await;
            }
        });
    }
}

/// Bytes as they are, both ways.
async fn over_http1(mut tls: impl AsyncRead + AsyncWrite + Unpin, shared: &Shared) -> io::Result<()> {
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { path: String::new(), met: None });
    let mut plain = TcpStream::connect(shared.target).await?;
    plain.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut tls, &mut plain).await.map(drop)
}

async fn over_http2(tls: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) -> Result<(), h2::Error> {
    let tls = Arc::new(Mutex::new(tls));
    let mut connection = h2::server::handshake(Wire(tls.clone())).await?;
    let (end, mut ends) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(accepted) => {
                    let (request, respond) = accepted?;
                    tokio::spawn(meet(request, respond, shared.clone(), end.clone()));
                }
                None => return Ok(()),
            },
            Some(ending) = ends.recv() => match ending {
                Ending::AfterWhatIsOpen => connection.graceful_shutdown(),
                Ending::AtOnce(reason) => connection.abrupt_shutdown(reason),
                Ending::Unbegun => {
                    let mut wire = Wire(tls);
                    let _ = wire.write_all(&GOAWAY_UNBEGUN).await;
                    let _ = wire.shutdown().await;
                    // A close with requests unread is a reset, which would take along what was written before it.
                    let _ = timeout(LINGER, copy(&mut wire, &mut sink())).await;
                    return Ok(());
                }
            },
        }
    }
}

async fn meet(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    end: mpsc::UnboundedSender<Ending>,
) {
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let conduct = {
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.iter().filter(|seen| seen.path == path).count();
        let conduct = (shared.rule)(&path, before);
        seen.push(Seen { path: path.clone(), met: Some(conduct) });
        conduct
    };
    match conduct {
        Conduct::Refuse => respond.send_reset(Reason::REFUSED_STREAM),
        Conduct::Reset(reason) => respond.send_reset(reason),
        // An answer would be one all the same.
        Conduct::GoAway(reason) => {
            let _ = end.send(Ending::AtOnce(reason));
            std::future::pending::<()>().await;
        }
        Conduct::GoAwayUnbegun => {
            let _ = end.send(Ending::Unbegun);
            std::future::pending::<()>().await;
        }
        Conduct::Pass | Conduct::PassAndGoAway => {
            if conduct == Conduct::PassAndGoAway {
                let _ = end.send(Ending::AfterWhatIsOpen);
            }
            if pass(request, &path, &mut respond, &shared).await.is_none() {
                // The service hung up.
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    }
}

/// Asks the service, and answers with what it said.
async fn pass(
    request: Request<h2::RecvStream>,
    path: &str,
    respond: &mut SendResponse<Bytes>,
    shared: &Shared,
) -> Option<()> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.ok()?;
        stream.flow_control().release_capacity(piece.len()).ok()?;
        body.extend_from_slice(&piece);
    }
    let url = format!("http://{}{path}", shared.target);
    let mut onward = shared.client.request(head.method, url).headers(head.headers);
    if !body.is_empty() {
        onward = onward.body(body);
    }
    let answer = onward.send().await.ok()?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.ok()?;
    let mut response = Response::builder().status(status);
    for (name, value) in &headers {
        // Of the connection, not of the response.
        if !["connection", "transfer-encoding", "keep-alive"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    let mut to = respond.send_response(response.body(()).ok()?, body.is_empty()).ok()?;
    if !body.is_empty() {
        to.send_data(body, true).ok()?;
    }
    Some(())
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_shutdown(cx)
    }
}
