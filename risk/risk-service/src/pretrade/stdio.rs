//! `PretradeService.Check` without a network, in lockstep: for a simulation that is to be the same every time.
//!
//! A request is its length, four bytes little-endian, and a `CheckRequest`. The length 0 begins a new stream, with a new
//! state, and has no answer. Any other is answered before the next is read: by a length and a `CheckResponse`, of length 0
//! when there is nothing to say, or, when the stream ends, by the length `u32::MAX`, a gRPC status code, the length of the
//! reason, both four bytes, and the reason.

use std::io::{self, Read, Write};

use prost::Message;
use tonic::Status;

use super::session::Session;
use crate::proto::{CheckRequest, CheckResponse};
use crate::watch::Boards;

const ENDED: u32 = u32::MAX;

/// Answers requests until the input ends.
///
/// # Errors
///
/// When the input ends within a request, or either side cannot be read or written.
pub fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut session = Session::new(Boards::default());
    let mut request = Vec::new();
    while let Some(length) = next_length(&mut input)? {
        if length == 0 {
            session = Session::new(Boards::default());
            continue;
        }
        request.resize(length as usize, 0);
        input.read_exact(&mut request)?;
        let answer = CheckRequest::decode(request.as_slice())
            .map_err(|error| Status::invalid_argument(error.to_string()))
            .and_then(|request| session.answer(request));
        output.write_all(&encode(answer))?;
        output.flush()?;
    }
    Ok(())
}

/// The length of the next request; none at the end of the input.
fn next_length(input: &mut impl Read) -> io::Result<Option<u32>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Ok(()) => Ok(Some(u32::from_le_bytes(length))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(answer: Result<Option<CheckResponse>, Status>) -> Vec<u8> {
    let (mut head, body) = match answer {
        Ok(response) => (Vec::new(), response.map(|response| response.encode_to_vec()).unwrap_or_default()),
        Err(status) => {
            let code = u32::try_from(i32::from(status.code())).unwrap_or_default();
            ([ENDED.to_le_bytes(), code.to_le_bytes()].concat(), status.message().as_bytes().to_vec())
        }
    };
    head.extend(u32::try_from(body.len()).unwrap_or_default().to_le_bytes());
    head.extend(body);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(request: &CheckRequest) -> Vec<u8> {
        let body = request.encode_to_vec();
        [&u32::try_from(body.len()).unwrap().to_le_bytes(), body.as_slice()].concat()
    }

    #[test]
    fn a_stream_that_does_not_begin_with_a_snapshot_ends_with_the_reason() {
        use crate::proto::{PretradeEvent, pretrade_event};
        let mark = PretradeEvent { event: Some(pretrade_event::Event::Mark(Default::default())), ..Default::default() };
        let request = CheckRequest { epoch: 1, events: vec![mark], ..Default::default() };
        let silent = CheckRequest { epoch: 2, ..Default::default() };
        let input = [framed(&request), vec![0; 4], framed(&silent)].concat();
        let mut output = Vec::new();
        serve(input.as_slice(), &mut output).unwrap();
        assert_eq!(output[..4], ENDED.to_le_bytes());
        assert_eq!(output[output.len() - 4..], [0; 4], "the next stream is silent");
    }
}
