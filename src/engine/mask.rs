//! Our own token, should a reply echo it, is masked before anything else sees the reply.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use url::Url;

use crate::domain::response::Headers;
use crate::domain::secret::Token;
use crate::domain::spelling::SHORTEST;
use crate::net::Sink;

/// Masks bytes on their way to a sink, so that no echo is ever on disk, not even if we are killed meanwhile.
pub struct Masking<S> {
    sink: S,
    token: Token,
    /// What may be the beginning of an echo, as it came.
    held: Vec<u8>,
    /// How many of its first bytes belong to an echo of which the beginning was handed on.
    covered: usize,
    masked: bool,
}

impl<S: Sink> Masking<S> {
    /// What is pushed into it goes on into that sink.
    pub fn new(sink: S, token: &Token) -> Self {
        Self { sink, token: token.clone(), held: Vec::new(), covered: 0, masked: false }
    }

    /// Masks by this token instead. Before the first byte.
    pub fn mask_by(&mut self, token: &Token) {
        self.token = token.clone();
    }

    /// Hands on the last bytes and gives the sink back; whether any were masked.
    pub fn finish(mut self, broken: bool) -> (S, bool) {
        self.hand_on_rest(broken);
        (self.sink, self.masked)
    }

    /// Hands on the last bytes: no more come. In bytes that broke off the beginning of an echo is one too.
    fn hand_on_rest(&mut self, broken: bool) {
        let begun = |spelling: &Vec<u8>| {
            let longest = self.held.len().min(spelling.len().saturating_sub(1));
            (SHORTEST..=longest).rev().find(|&len| spelling.get(..len).is_some_and(|part| self.held.ends_with(part)))
        };
        let begun = if broken { self.token.spellings().iter().filter_map(begun).max() } else { None };
        let all = self.held.len();
        self.hand_on(all, begun.map(|len| all - len..all));
    }

    /// Hands on this many of the bytes that are held, each that belongs to an echo masked: no echo ends behind them but
    /// in what is held. That makes no difference between bytes in one piece and in many.
    fn hand_on(&mut self, count: usize, begun: Option<Range<usize>>) {
        if count == 0 {
            // What is covered stays so: a piece may be empty.
            return;
        }
        let mut echoes = echoes(&self.held, self.token.spellings());
        echoes.extend(begun);
        echoes.push(0..self.covered);
        echoes.retain(|echo| echo.start < count && !echo.is_empty());
        self.covered = echoes.iter().map(|echo| echo.end).max().unwrap_or(0).saturating_sub(count);
        let rest = self.held.split_off(count);
        let handed_on = std::mem::replace(&mut self.held, rest);
        if !echoes.is_empty() {
            self.note();
        }
        if !handed_on.is_empty() {
            self.sink.push(&overwritten(handed_on, &echoes));
        }
    }

    /// The sink hears of it before it is given the bytes.
    fn note(&mut self) {
        if !std::mem::replace(&mut self.masked, true) {
            self.sink.masked();
        }
    }
}

#[cfg(test)]
impl<S> Masking<S> {
    /// Where its bytes go.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }
}

impl<S: Sink> Sink for Masking<S> {
    fn begin(&mut self, status: u16) {
        self.sink.begin(status);
    }

    fn masked(&mut self) {
        self.note();
    }

    fn push(&mut self, chunk: &[u8]) {
        let Some(longest) = self.token.spellings().first().map(Vec::len) else {
            self.sink.push(chunk);
            return;
        };
        // The first piece of most responses is the only one, and holds no echo: all but its end goes on as it is.
        if self.held.is_empty() && self.covered == 0 && echoes(chunk, self.token.spellings()).is_empty() {
            let (plain, end) = chunk.split_at(chunk.len().saturating_sub(longest - 1));
            if !plain.is_empty() {
                self.sink.push(plain);
            }
            self.held.extend_from_slice(end);
            return;
        }
        self.held.extend_from_slice(chunk);
        self.hand_on(self.held.len().saturating_sub(longest - 1), None);
    }

    fn objection(&mut self) -> Option<String> {
        self.sink.objection()
    }
}

/// The bytes with every spelling of the token overwritten by asterisks, length kept; None if it is not in them.
pub fn bytes(body: &Bytes, token: &Token) -> Option<Bytes> {
    let echoes = echoes(body, token.spellings());
    (!echoes.is_empty()).then(|| Bytes::from(overwritten(body.to_vec(), &echoes)))
}

/// A text likewise.
pub fn text(text: String, token: &Token) -> String {
    let echoes = echoes(text.as_bytes(), token.spellings());
    if echoes.is_empty() {
        text
    } else {
        String::from_utf8_lossy(&overwritten(text.into_bytes(), &echoes)).into_owned()
    }
}

/// The token together with the values of a signed URL's query: whoever has that has the result. The values are taken
/// as they are written there and as they are meant.
pub fn with_query(token: &Token, url: &Url) -> Token {
    let written =
        url.query().unwrap_or_default().split('&').filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
    let meant = url.query_pairs().map(|(_, value)| value.into_owned());
    let secrets = written.chain(meant).filter_map(|value| Token::new(&value));
    secrets.fold(token.clone(), |token, secret| token.with("query", &secret))
}

/// The headers likewise.
pub fn headers(headers: Headers, token: &Token) -> Headers {
    let clean = |text: Option<String>| text.map(|found| self::text(found, token));
    Headers {
        content_type: clean(headers.content_type),
        content_encoding: clean(headers.content_encoding),
        retry_after: clean(headers.retry_after),
        date: clean(headers.date),
        location: clean(headers.location),
    }
}

/// Where spellings stand, one over the other too.
fn echoes(bytes: &[u8], spellings: &[Vec<u8>]) -> Vec<Range<usize>> {
    let mut echoes: Vec<Range<usize>> = Vec::new();
    for spelling in spellings {
        let finder = memmem::Finder::new(spelling);
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
            let start = from + at;
            let end = start + spelling.len();
            match echoes.last_mut() {
                Some(last) if (last.start..=last.end).contains(&start) => last.end = last.end.max(end),
                Some(_) | None => echoes.push(start..end),
            }
            from = start + 1;
        }
    }
    echoes
}

/// The bytes with asterisks there.
fn overwritten(mut bytes: Vec<u8>, echoes: &[Range<usize>]) -> Vec<u8> {
    for echo in echoes {
        bytes.iter_mut().take(echo.end).skip(echo.start).for_each(|byte| *byte = b'*');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_echo_of_our_token_is_masked_and_nothing_else() {
        let token = Token::new("s3cr/et\"key").unwrap();
        let cases: [(&str, Option<&str>); 7] = [
            ("no echo s3cr/et", None),
            ("a s3cr/et\"key b s3cr/et\"key", Some("a *********** b ***********")),
            (r#"{"k":"s3cr/et\"key"}"#, Some(r#"{"k":"************"}"#)),
            (r#"{"k":"s3cr\/et\"key"}"#, Some(r#"{"k":"*************"}"#)),
            ("s3cr%2Fet%22key", Some("***************")),
            ("s3cr/et%22key s3cr%2fet%22key", Some("************* ***************")),
            ("s3cr/et&quot;key s3cr/et&#34;key", Some("**************** ***************")),
        ];
        for (body, masked) in cases {
            let result = bytes(&Bytes::from(body), &token);
            assert_eq!(result.as_deref(), masked.map(str::as_bytes), "{body}");
        }
    }

    #[test]
    fn the_pieces_in_which_an_echo_comes_make_no_difference_whatever_the_token_looks_like() {
        struct Taken(Vec<u8>);
        impl Sink for Taken {
            fn begin(&mut self, _: u16) {}

            fn push(&mut self, chunk: &[u8]) {
                self.0.extend_from_slice(chunk);
            }
        }
        // One spelling is the beginning of another, or of itself.
        let cases = [
            (">Q.B#\\", "\"\u{1}>Q.B#\\\\/\\/.G"),
            ("abc/\\/", "x abc/\\/\\/\\\\/ y abc\\/\\\\\\/"),
            ("\\/\\/\\/", "\\/\\/\\/\\/\\\\/\\/"),
            ("aaaaaa", "baaaaaaaaab aaaaaaa"),
            ("ab&amp;", "ab&amp;amp;amp; ab&amp"),
            ("s3cr/et\"key", "s3cr%2Fet%22keys3cr/et\"key"),
        ];
        for (token, body) in cases {
            let token = Token::new(token).unwrap();
            let whole = bytes(&Bytes::copy_from_slice(body.as_bytes()), &token).unwrap();
            for size in 1..body.len() {
                let mut masking = Masking::new(Taken(Vec::new()), &token);
                body.as_bytes().chunks(size).for_each(|piece| {
                    masking.push(piece);
                    masking.push(b"");
                });
                masking.hand_on_rest(false);
                assert_eq!(masking.sink.0, whole, "to the last byte: {body:?} in pieces of {size}");
                let (taken, masked) = masking.finish(false);
                assert_eq!((Bytes::from(taken.0), masked), (whole.clone(), true), "{body:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn what_an_error_repeats_of_a_signed_url_is_masked_however_it_is_written() {
        let url =
            Url::parse("https://cdn.example/r?X-Amz-Signature=0123456789abcdef&sig=a%2Bb%2Fc%3D12345&n=1").unwrap();
        let token = with_query(&Token::new("s3cret-token").unwrap(), &url);
        for (said, masked) in [
            ("gone, see https://cdn.example/r?X-Amz-Signature=0123456789abcdef", "X-Amz-Signature=****************"),
            ("StringToSign a+b/c=12345", "StringToSign ***********"),
            ("sig=a%2Bb%2Fc%3D12345&n=1", "sig=*****************&n=1"),
            ("sig=a%2bb%2fc%3d12345", "sig=*****************"),
            ("our s3cret-token", "our ************"),
        ] {
            assert!(text(said.to_owned(), &token).ends_with(masked), "{said}: {}", text(said.to_owned(), &token));
        }
    }

    #[test]
    fn a_token_too_short_to_be_a_secret_masks_nothing() {
        assert_eq!(bytes(&Bytes::from("demo demo"), &Token::new("demo").unwrap()), None);
    }

    #[derive(Default)]
    struct Pieces(Vec<u8>);

    impl Sink for Pieces {
        fn begin(&mut self, _: u16) {}

        fn push(&mut self, chunk: &[u8]) {
            self.0.extend_from_slice(chunk);
        }
    }

    #[test]
    fn an_echo_that_broke_off_is_masked_too() {
        let token = Token::new("s3cret-token").unwrap();
        for (body, broken, masked) in [
            ("a s3cret-tok", true, "a **********"),
            ("a s3cret-tok", false, "a s3cret-tok"),
            ("a s3cre", true, "a s3cre"),
            ("a s3cret-token", true, "a ************"),
            ("s3cret-token s3cret", true, "************ ******"),
        ] {
            let mut masking = Masking::new(Pieces::default(), &token);
            masking.push(body.as_bytes());
            let (pieces, is_masked) = masking.finish(broken);
            assert_eq!(is_masked, body != masked);
            assert_eq!(String::from_utf8(pieces.0).unwrap(), masked);
        }
    }

    proptest::proptest! {
        #[test]
        fn bytes_that_come_in_pieces_are_masked_as_those_that_come_at_once(
            body in "(s3cr/et\"key|s3cr/|s3|et%22key|s3cr%2Fet%22key|x){0,12}", cuts in proptest::collection::vec(1usize..9, 0..60)
        ) {
            let token = Token::new("s3cr/et\"key").unwrap();
            let mut masking = Masking::new(Pieces::default(), &token);
            let mut rest = body.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                masking.push(piece);
                rest = after;
            }
            masking.push(rest);
            let (pieces, masked) = masking.finish(false);
            let whole = bytes(&Bytes::from(body.clone()), &token);
            proptest::prop_assert_eq!(masked, whole.is_some());
            proptest::prop_assert_eq!(pieces.0, whole.map_or_else(|| body.into_bytes(), |bytes| bytes.to_vec()));
        }
    }
}
