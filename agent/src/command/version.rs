//! `version`: of the program, and of the API whose manifests it takes.

use crds::v1alpha1::{API_VERSION, KIND};

use crate::app::ending::Ending;

pub(super) fn version() -> Ending {
    super::print(&text());
    Ending::Done
}

fn text() -> String {
    format!(
        "standpipe-agent {}\ntakes {API_VERSION} {KIND}\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_program_and_the_api() {
        let text = text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            concat!("standpipe-agent ", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(lines[1], "takes standpipe.dev/v1alpha1 DeliveryStream");
    }
}
