"""What vendors may hear: the kinds of event, the endpoints, the signatures. What is sent to them, and when, is the flows'."""
