# BERT in R with Keras: which comments are toxic? The script of the post "BERT from R" on RStudio's AI blog, with bertr.
#
#   Rscript bert-from-r.R comments.csv [model]
#
# The file has the columns comment_text and target (0 or 1, or the share of people who found the comment toxic), as in
# the Jigsaw data. The model is anything that bert_load() takes.
library(bertr)
library(keras3)

args <- commandArgs(trailingOnly = TRUE)
data <- read.csv(args[[1]])
max_len <- 50
batch_size <- 70
epochs <- 2

model <- bert_load(if (length(args) > 1) args[[2]]) # before Keras starts, so that TensorFlow gets bertr's settings
x <- as.list(bert_tokenize(model, data$comment_text, max_len = max_len))
y <- matrix(as.numeric(data$target >= 0.5))

bert <- bert_keras(model)
score <- bert$output$pooled |>
  layer_dense(1, activation = "sigmoid", kernel_initializer = initializer_truncated_normal(stddev = 0.02))
classifier <- keras_model(bert$inputs, score)
summary(classifier)

classifier |> compile(
  optimizer = bert_optimizer(floor(0.8 * nrow(data)), batch_size, epochs, learning_rate = 1e-4),
  loss = "binary_crossentropy",
  metrics = "accuracy"
)
history <- classifier |> fit(x, y, epochs = epochs, batch_size = batch_size, validation_split = 0.2, verbose = 2)
print(history)

# in Keras: save_model(classifier, "toxic.keras"), and load_model() after library(bertr)
# in bertr: the trained encoder for all other functions
trained <- bert_from_keras(classifier, model)
bert_similarity(trained, "You are an idiot.", c("What a fool you are.", "Thank you for your help."))
