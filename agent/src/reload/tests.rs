use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::entropy::Entropy;

/// A manifest with everything that a test edits.
pub(crate) const MANIFEST: &str = "\
apiVersion: standpipe.dev/v1alpha1
kind: DeliveryStream
metadata:
  name: flights
  namespace: air
spec:
  desiredState: Running
  streamName: raw
  source:
    type: DirectPut
    directPut:
      port: 8080
      auth: {type: None}
  wal: {capacity: 1Gi}
  destinations:
    - name: files
      type: FileSystem
      fileSystem: {directory: /out}
      format: {type: NdJson, compression: {type: Gzip}}
      buffering: {size: 64Ki, intervalSeconds: 5}
  objectives: {freshnessSeconds: 90}
";

#[test]
fn what_is_wrong_with_the_shape_comes_alone_and_the_rules_together() {
    let faults = load(&MANIFEST.replace("port: 8080", "ports: 8080")).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].message.contains("ports"), "{}", faults[0]);
    let faults = load(
        &MANIFEST
            .replace("port: 8080", "port: 0")
            .replace("capacity: 1Gi", "capacity: 1Mi"),
    )
    .unwrap_err();
    let fields: Vec<_> = faults.iter().map(|f| f.field.as_deref()).collect();
    assert_eq!(
        fields,
        [
            Some("spec.source.directPut.port"),
            Some("spec.wal.capacity")
        ]
    );
}

/// Keeps what was taken.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<Result<String, String>>>>);

impl Take for Taken {
    async fn take(&mut self, content: Result<&str, &str>) {
        let content = content.map(str::to_owned).map_err(str::to_owned);
        self.0.lock().push(content);
    }
}

/// Runs the watch for some looks at a file that `change` changes before each.
async fn looks(
    path: &Path,
    count: u32,
    mut change: impl FnMut(u32),
) -> Vec<Result<String, String>> {
    let taken = Taken::default();
    let stop = CancellationToken::new();
    let watch = Watch::new(&read(path).unwrap());
    let executor = Executor::inline(Entropy::from_seed(1));
    let running = run(
        path.to_owned(),
        watch,
        executor,
        taken.clone(),
        stop.clone(),
    );
    tokio::pin!(running);
    for look in 0..count {
        change(look);
        let second = tokio::time::sleep(EVERY);
        tokio::select! {
            biased;
            ended = &mut running => panic!("{ended:?}"),
            () = second => {}
        }
    }
    stop.cancel();
    running.await.unwrap();
    let taken = taken.0.lock();
    taken.clone()
}

#[tokio::test(start_paused = true)]
async fn a_symlink_swap_is_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("old"), "one").unwrap();
    fs::write(at("new"), "two").unwrap();
    // as kubelet does it: a link to a link that is replaced by a rename
    symlink("old", at("..data")).unwrap();
    symlink("..data", at("stream.yaml")).unwrap();
    let taken = looks(&at("stream.yaml"), 6, |look| {
        if look == 2 {
            symlink("new", at("..next")).unwrap();
            fs::rename(at("..next"), at("..data")).unwrap();
        }
    })
    .await;
    assert_eq!(taken, [Ok("two".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_goes_away_is_told_once_and_its_return_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stream.yaml");
    fs::write(&path, "one").unwrap();
    let taken = looks(&path, 12, |look| match look {
        1 => fs::remove_file(&path).unwrap(),
        7 => fs::write(&path, "one").unwrap(),
        _ => {}
    })
    .await;
    let [Err(gone), Ok(back)] = &taken[..] else {
        panic!("{taken:?}")
    };
    assert!(
        gone.contains("stream.yaml") && gone.contains("No such file"),
        "{gone}"
    );
    assert_eq!(back, "one");
}

#[test]
fn a_file_that_is_no_manifest_is_refused_with_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m");
    let refused = || {
        let error = read(&path).unwrap_err();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    };
    assert!(refused().contains("No such file"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(refused().contains("not UTF-8"));
    fs::write(&path, vec![b' '; 1024 * 1024 + 1]).unwrap();
    assert!(refused().contains("larger than 1048576 bytes"));
    fs::write(&path, vec![b' '; 1024 * 1024]).unwrap();
    assert!(read(&path).is_ok());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused().contains("directory"));
}
