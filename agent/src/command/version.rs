//! `version`: the program, the API that it serves, the formats that it keeps on disk.

use crate::app::ending::Ending;

pub(super) fn version() -> Ending {
    super::print(concat!("standpipe-agent ", env!("CARGO_PKG_VERSION"), "\n"));
    Ending::Done
}
