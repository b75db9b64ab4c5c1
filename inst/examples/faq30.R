# Fine-tunes the default model on faq30 (207 questions of bank customers, 30 intents), evaluates it on the
# validation rows, predicts five new questions and draws the history. About a minute on two cores.
library(bertr)

data_file <- function(name) system.file("extdata", "faq30", name, package = "bertr", mustWork = TRUE)
train <- read.csv(data_file("train.csv"))
valid <- read.csv(data_file("valid.csv"))

model <- bert_load()
print(model)
fit <- bert_fit(model, label ~ text, data = train, validation = valid, seed = 1)
print(fit)

cat("\nOn the validation rows:\n")
print(bert_evaluate(fit, valid))

questions <- c(
  "I put my card into the machine and it kept it!",
  "Why was I charged for sending money abroad?",
  "When will my new card arrive?",
  "My top-up did not go through.",
  "Someone used my card without asking me."
)
best <- bert_predict(fit, questions, type = "class")
prob <- as.matrix(bert_predict(fit, questions, type = "prob"))
cat("\nFive new questions:\n")
print(data.frame(question = questions, predicted = best$.pred_class, probability = round(apply(prob, 1, max), 3)))

png("demo-history.png", width = 900, height = 400)
plot(fit)
invisible(dev.off())
cat("\nThe history is drawn in demo-history.png.\n")
