test_that("a task is checked when it is made", {
  task <- task_classification()
  expect_identical(do.call(new_task, task), task)
  expect_said({
    do.call(new_task, task[names(task) != "target"])
    do.call(new_task, utils::modifyList(task, list(settle = function(spec, outcome) NULL)))
    do.call(new_task, utils::modifyList(task, list(expects = 1)))
    do.call(new_task, c(task, colour = "red"))
    do.call(new_task, task[names(task) != "predict"])
  })
})

test_that("all tasks of the package are whole", {
  made <- c("classification", "multilabel", "regression", "entities", "span", "relations", "mlm")
  expect_setequal(names(tasks()), made)
})
