import java.time.Instant
import scala.util.Try

/** A line of a file. */
case class Line(
    customer_id: Option[String], source: String, operation: String, changed_at: Option[String], sequence: Option[String],
    name: Option[String], email: Option[String], segment: Option[String]
) {
  def fault: Option[String] =
    if (customer_id.isEmpty) Some("customer_id is missing")
    else if (changed_at.exists(text => Try(Instant.parse(text)).isFailure)) Some(s"changed_at is ${changed_at.get}")
    else if (sequence.exists(_.toLongOption.isEmpty)) Some(s"sequence is ${sequence.get}")
    else None

  /** Later lines have a higher rank; ISO times are ordered as text. */
  def rank: (String, Long, Boolean) =
    (changed_at.getOrElse(""), sequence.map(_.toLong).getOrElse(Long.MinValue), source == "crm")
}

case class Customer(
    customer_id: String, name: Option[String], email: Option[String], segment: Option[String], source: String,
    changed_at: Option[java.sql.Timestamp]
)
// canary: 58d2d429-7b16-4150-990d-7e9849ec9d0a
