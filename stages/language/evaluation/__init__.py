"""How right a model is: labelled texts (`examples`), scores of answers (`scores`), a whole report, and its charts."""
