//! Fetches an image from its registry. The engine ends a fetch whose asker is gone, so that a stop really stops it.

use std::collections::BTreeMap;

use bollard::{models::CreateImageInfo, query_parameters::CreateImageOptionsBuilder};
use futures::StreamExt;

use super::{Engine, stoppable};
use crate::actions::{Context, Done, Failure, ProgressValue};

/// # Errors
/// What the engine or the registry says.
pub async fn perform(engine: &Engine, image: &str, context: &Context) -> Result<Done, Failure> {
    let image = tagged(image);
    // Layers may take longer than an answer.
    let client = engine.client(context).await?.clone().with_timeout(context.timeout);
    let options = CreateImageOptionsBuilder::default().from_image(&image).build();
    let mut stream = std::pin::pin!(client.create_image(Some(options), None, None));
    let mut layers = BTreeMap::new();
    while let Some(told) = stoppable(context, stream.next()).await? {
        let told = told.map_err(|error| engine.explain_of(&image, &error))?;
        if let Some(message) = told.error_detail.as_ref().and_then(|error| error.message.as_deref()) {
            return Err(Failure::failed(format!("{image} cannot be fetched: {message}")));
        }
        report(context, &mut layers, told);
    }
    let found = client.inspect_image(&image).await.map_err(|error| engine.explain_of(&image, &error))?;
    Ok(Done::new(format!("{image} is here")).with("image", image).with("id", found.id))
}

/// Without a tag the engine would fetch all of them.
fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

fn report(context: &Context, layers: &mut BTreeMap<String, (u64, u64)>, told: CreateImageInfo) {
    let (Some(id), Some(detail)) = (told.id, told.progress_detail) else { return };
    let size = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let (Some(done), Some(total)) = (size(detail.current), size(detail.total)) else { return };
    layers.insert(id, (done, total));
    let sum = |of: fn(&(u64, u64)) -> u64| layers.values().map(of).sum();
    context.progress.report(ProgressValue {
        done: sum(|layer| layer.0),
        total: sum(|layer| layer.1),
        unit: "bytes",
        doing: "fetching".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::tagged;

    #[test]
    fn without_a_tag_it_is_the_latest() {
        let rows = [
            ("app", "app:latest"),
            ("app:v1", "app:v1"),
            ("registry.local:5000/app", "registry.local:5000/app:latest"),
            ("registry.local:5000/app:v1", "registry.local:5000/app:v1"),
            ("app@sha256:00", "app@sha256:00"),
        ];
        for (given, asked) in rows {
            assert_eq!(tagged(given), asked);
        }
    }
}
